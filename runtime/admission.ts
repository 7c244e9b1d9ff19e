/** @module Decides before a body is read whether this thread accepts a request, and limits the requests at a time. */

import type { Clock } from './clock.ts';
import { ServeError } from './errors.ts';
import { InFlightCount } from './in-flight-count.ts';

/**
 * A refusal and its Retry-After are reused for this time, so that an overloaded server does not query its queues
 * for each refused request.
 */
const REFUSAL_MS = 100;

/**
 * Permits of one HTTP thread. A permit is taken when a request's headers have arrived and released exactly
 * once, when its response is made or its client is gone; until then it counts as in flight.
 *
 * A request whose body is slow to arrive gives its permit back meanwhile, so that slow senders do not keep
 * others out: it counts as receiving, of which there is a limit, too.
 *
 * Being full is a normal status, so a refusal is returned and not thrown.
 */
export class Admission {
  readonly #limit: number;
  readonly #receivingLimit: number;
  readonly #waitMs: () => number;
  readonly #clock: Clock;
  readonly #closing = new ServeError('DRAINING', 'The server is shutting down; retry elsewhere.');
  /** In flight and receiving. */
  readonly #requests = new InFlightCount();
  #receiving = 0;
  #full: ServeError | undefined;
  /** The time until which `#full` is reused. */
  #fullUntil = 0;
  #leaving = false;
  #closed = false;

  /**
   * @param limit Most requests in flight at once.
   * @param waitMs Returns the time until there is room, estimated from the queues.
   * @param receivingLimit Most requests at once whose bodies are slow to arrive.
   */
  constructor(limit: number, waitMs: () => number, clock: Clock, receivingLimit = limit) {
    this.#limit = limit;
    this.#receivingLimit = receivingLimit;
    this.#waitMs = waitMs;
    this.#clock = clock;
  }

  get inFlight(): number {
    return this.#requests.count - this.#receiving;
  }

  get receiving(): number {
    return this.#receiving;
  }

  /** Whether the server is about to stop: it is not ready, though it may still take requests. */
  get draining(): boolean {
    return this.#leaving;
  }

  /** Takes a permit and returns undefined, or returns the refusal if there is none. */
  acquire(): ServeError | undefined {
    if (this.#closed) return this.#closing;
    if (this.inFlight >= this.#limit) return this.#refusal();
    this.#requests.hold();
    return undefined;
  }

  /** Counts a request as receiving instead of as in flight, or returns the refusal; then it keeps its permit. */
  startReceiving(): ServeError | undefined {
    if (this.#receiving >= this.#receivingLimit) {
      return new ServeError(
        'OVERLOADED',
        `The server already receives ${this.#receivingLimit} slow bodies; retry later.`,
      );
    }
    this.#receiving += 1;
    return undefined;
  }

  /** Counts a request as in flight again, or returns the refusal; then it still counts as receiving. */
  endReceiving(): ServeError | undefined {
    if (this.inFlight >= this.#limit) return this.#refusal();
    this.#receiving -= 1;
    return undefined;
  }

  #refusal(): ServeError {
    const now = this.#clock.now();
    if (this.#full === undefined || now >= this.#fullUntil) {
      const message = `The server already works on ${this.#limit} requests; retry later.`;
      this.#full = new ServeError('OVERLOADED', message, { retryAfterMs: this.#waitMs() });
      this.#fullUntil = now + REFUSAL_MS;
    }
    return this.#full;
  }

  release(): void {
    this.#requests.release();
  }

  /** Releases the slot of a request that was still receiving its body. */
  releaseReceiving(): void {
    this.#receiving -= 1;
    this.#requests.release();
  }

  /** Makes the server unready. Requests are still accepted, until `drain()`. */
  announceDrain(): void {
    this.#leaving = true;
  }

  /** Refuses new requests from now on; resolves when none is in flight or receiving. Idempotent. */
  drain(): Promise<void> {
    this.#leaving = true;
    this.#closed = true;
    return this.#requests.idle();
  }
}
