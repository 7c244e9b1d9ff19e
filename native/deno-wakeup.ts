/**
 * A way around lost wake-ups of Deno's event loop. Deno looks for calls from other threads and then
 * registers to be woken for the next one. A call in between wakes nobody, and is seen only once
 * something else turns the loop (2.9.5: `poll_inner` in its `libs/core/tasks.rs`).
 *
 * @module
 */

// Not the globals: Deno's return numbers, which cannot be unreferenced.
import { clearInterval, setInterval } from 'node:timers';

/** The most by which an answer is late after a lost wake-up. */
const INTERVAL_MS = 10;

/** Turns the event loop regularly while this thread waits for others. */
export class DenoWakeup {
  #waits = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  begin(): void {
    this.#waits += 1;
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
    this.#timer.unref();
  }

  end(): void {
    this.#waits -= 1;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The timer outlives the last wait by a round, so that a busy thread does not set it for each. */
  #tick(): void {
    if (this.#waits === 0) this.stop();
  }
}
