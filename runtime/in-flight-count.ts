/** @module Counts who still uses something, and tells when nobody does. */

export class InFlightCount {
  #count = 0;
  #whenIdle: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  hold(): void {
    this.#count += 1;
  }

  /** Undoes one `hold()`. */
  release(): void {
    this.#count -= 1;
    if (this.#count > 0 || this.#whenIdle.length === 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves as soon as nobody holds. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}
