/** @module How much work this thread takes on at once, and whether it takes any: decided before a body is read. */

import { ServeError } from './errors.ts';
import { Holders } from './holders.ts';

/**
 * Permits of one HTTP thread. A permit is taken when a request's headers are in and released exactly
 * once, when its answer is made or its client is gone; until then it counts as in flight.
 *
 * Being full is a normal status, so a refusal is returned and not thrown.
 */
export class Admission {
  readonly #limit: number;
  readonly #full: ServeError;
  readonly #closing = new ServeError('DRAINING', 'The server is shutting down; retry elsewhere.');
  readonly #permits = new Holders();
  #closed = false;

  /** @param limit Most requests in flight at once. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#full = new ServeError(
      'OVERLOADED',
      `The server already works on ${limit} requests; retry later.`,
    );
  }

  get inFlight(): number {
    return this.#permits.count;
  }

  get draining(): boolean {
    return this.#closed;
  }

  /** Takes a permit and returns undefined, or returns why there is none. */
  acquire(): ServeError | undefined {
    if (this.#closed) return this.#closing;
    if (this.#permits.count >= this.#limit) return this.#full;
    this.#permits.hold();
    return undefined;
  }

  release(): void {
    this.#permits.release();
  }

  /** Refuses new requests from now on; resolves when none is in flight. Idempotent. */
  drain(): Promise<void> {
    this.#closed = true;
    return this.#permits.idle();
  }
}
