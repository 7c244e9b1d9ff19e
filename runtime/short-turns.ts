/** @module Long work of a thread that serves requests, in short turns of the event loop. */

/** How long work may keep other work of its thread waiting at a time, milliseconds. */
const TURN_MS = 5;

/** One piece of long work, or several parts of it side by side, which pauses from time to time. */
export class ShortTurns {
  #startedMs = performance.now();

  /** Lets other work run, if this work has lasted for its part of the turn. */
  async pause(): Promise<void> {
    if (performance.now() - this.#startedMs < TURN_MS) return;
    // Deno runs every setImmediate before network events, so a timer is used.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#startedMs = performance.now();
  }
}
