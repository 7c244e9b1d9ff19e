/**
 * A workaround for lost wake-ups of Deno's event loop. Deno looks for calls from other threads, and then
 * registers to be woken for the next one. A call that comes in between wakes nobody, and Deno sees it only
 * when something else turns the loop (in Deno 2.9.5, see `poll_inner` in `libs/core/tasks.rs`).
 *
 * @module
 */

// Deno's global timers return numbers, which cannot be unreferenced.
import { clearInterval, setInterval } from 'node:timers';

/** The longest delay of a result after a lost wake-up. */
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

  /** Stops the timer one interval after the last wait, so that a busy thread does not start one for each wait. */
  #tick(): void {
    if (this.#waits === 0) this.stop();
  }
}
