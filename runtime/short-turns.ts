/** @module Divides long work on a thread that serves requests into short turns of the event loop. */

/** How long the work may block the event loop at a time, milliseconds. */
const TURN_MS = 5;

/** Long work, or several parts of it that share the time of its turns. */
export class ShortTurns {
  readonly #turnMs: number;
  #startedMs = performance.now();

  /** @param turnMs Default: `TURN_MS`. */
  constructor(turnMs = TURN_MS) {
    this.#turnMs = turnMs;
  }

  /** Lets the event loop run other work, if this turn has taken long enough. */
  async pause(): Promise<void> {
    if (performance.now() - this.#startedMs < this.#turnMs) return;
    // Deno runs every setImmediate before network events, so a timer is used.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#startedMs = performance.now();
  }
}
