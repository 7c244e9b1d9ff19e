/** @module Counts the holders of a resource, and resolves when there are none. */

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

  /** Resolves as soon as the count is 0. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}
