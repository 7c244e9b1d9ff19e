/**
 * The bytes of request bodies that the process holds at once, whichever thread and protocol received them:
 * the received bytes, what they become when decompressed, and the elements that are parsed from them. Decision record
 * 0020 gives the reasons, and 0027 says why responses are not counted.
 *
 * @module
 */

import type { ByteBudget } from '../native/index.ts';
import { ServeError } from './errors.ts';

/** When a refused client may try again: most bodies are received and served in less. */
const RETRY_AFTER_MS = 1000;

export class BodyBudget {
  readonly #bytes: ByteBudget;

  constructor(bytes: ByteBudget) {
    this.#bytes = bytes;
  }

  /** The native count, for bytes that native code takes. */
  get bytes(): ByteBudget {
    return this.#bytes;
  }

  /**
   * Takes bytes. Returns undefined, or the reason why they cannot be taken at the moment.
   *
   * @param held Bytes that the request holds already, because it may be too large even for the whole budget.
   */
  take(bytes: number, held: number): ServeError | undefined {
    if (this.#bytes.take(bytes)) return undefined;
    const { limit } = this.#bytes;
    if (held + bytes > limit) {
      return new ServeError(
        'PAYLOAD_TOO_LARGE',
        `The body needs more than the ${limit} bytes that the server keeps for all bodies together; send less at once.`,
      );
    }
    return new ServeError(
      'OVERLOADED',
      'The server holds as many bytes of request bodies as it may; retry later.',
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  give(bytes: number): void {
    this.#bytes.give(bytes);
  }
}

/**
 * The bytes of the budget that one request holds. However the request ends, `close()` gives them back. Bytes that arrive
 * later are refused or given back at once, so that every byte is given back exactly once.
 */
export class BodyShare {
  readonly #budget: BodyBudget;
  readonly #owned = new Set<ArrayBuffer>();
  readonly #lent: ArrayBuffer[] = [];
  #held = 0;
  #readers = 0;
  #closed = false;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Bytes that the request holds. */
  get held(): number {
    return this.#held;
  }

  /** @throws {ServeError} `OVERLOADED` or `PAYLOAD_TOO_LARGE`; `CANCELLED` if the request is over. */
  take(bytes: number): void {
    if (this.#closed) throw new ServeError('CANCELLED', 'The request is over.');
    const refusal = this.#budget.take(bytes, this.#held);
    if (refusal !== undefined) throw refusal;
    this.#held += bytes;
  }

  /** Holds bytes that were taken from the same budget natively. */
  adopt(bytes: number): void {
    this.#held += bytes;
    this.#settle();
  }

  /** Gives bytes back, at most those that are held. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#held);
    this.#held -= given;
    if (given > 0) this.#budget.give(given);
  }

  /**
   * Makes the share the owner of memory that no other code reads. Closing the share frees it, because the garbage
   * collector might free it much later.
   */
  own(memory: ArrayBuffer): void {
    this.#owned.add(memory);
    this.#settle();
  }

  /** Frees memory that it owns. */
  free(memory: ArrayBuffer): void {
    if (this.#owned.delete(memory)) free(memory);
  }

  /** Leaves all memory to the engine, which may read it even when the request is over. */
  lend(): void {
    for (const memory of this.#owned) this.#lent.push(memory);
    this.#owned.clear();
  }

  /** Owns the lent memory again, because the engine has finished reading it. The engine may have freed it already. */
  reclaim(): void {
    for (const memory of this.#lent.splice(0)) this.own(memory);
  }

  /** Waits for work that reads memory in another thread. Until then the memory is not freed, nor its bytes given back. */
  async during<T>(memory: ArrayBuffer, work: Promise<T>): Promise<T> {
    const owned = this.#owned.delete(memory);
    this.#readers += 1;
    try {
      return await work;
    } finally {
      this.#readers -= 1;
      if (owned) this.own(memory);
      this.#settle();
    }
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#settle();
  }

  #settle(): void {
    if (!this.#closed || this.#readers > 0) return;
    this.give(this.#held);
    for (const memory of this.#owned) free(memory);
    this.#owned.clear();
  }
}

function free(memory: ArrayBuffer): void {
  if (!memory.detached) memory.transfer(0);
}
