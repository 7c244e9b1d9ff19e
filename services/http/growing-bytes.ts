/** @module Memory for bytes of a number that is not known before they are there. */

import { type BodyShare, ServeError } from '../../runtime/index.ts';

/** Memory to start with. */
const FIRST_BYTES = 16 * 1024;
/** The budget is asked for so many bytes at a time. */
const STEP_BYTES = 16 * 1024;

/**
 * One memory that grows, because the bytes may come in any number of pieces. What it grows out of, and
 * what is refused, is given back at once and not when garbage is collected.
 */
export class GrowingBytes {
  readonly #share: BodyShare;
  readonly #limit: number;
  #memory: Uint8Array<ArrayBuffer>;
  #length = 0;
  #taken = 0;

  /**
   * @param share Counts the bytes; it owns the memory, so that closing it frees it.
   * @param limit Most bytes.
   * @param expected How many are likely. Memory is reserved for them, and touched as they come.
   */
  constructor(share: BodyShare, limit: number, expected = FIRST_BYTES) {
    this.#share = share;
    this.#limit = limit;
    this.#memory = new Uint8Array(Math.min(Math.max(expected, 1), limit));
    share.own(this.#memory.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** @throws {ServeError} `PAYLOAD_TOO_LARGE` past the limit, `OVERLOADED` where the budget has no room. */
  append(piece: Uint8Array): void {
    const end = this.#length + piece.byteLength;
    if (end > this.#limit) throw tooLong(this.#limit);
    this.#take(end);
    if (end > this.#memory.length) this.#grow(end);
    this.#memory.set(piece, this.#length);
    this.#length = end;
  }

  /** The bytes. Nothing may be appended afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#length);
  }

  #take(end: number): void {
    if (end <= this.#taken) return;
    const step = Math.max(end - this.#taken, Math.min(STEP_BYTES, this.#limit - this.#taken));
    this.#share.take(step);
    this.#taken += step;
  }

  #grow(end: number): void {
    const old = this.#memory.buffer;
    const size = Math.min(Math.max(end, 2 * old.byteLength), this.#limit);
    this.#memory = new Uint8Array(old.transfer(size));
    this.#share.free(old);
    this.#share.own(this.#memory.buffer);
  }
}

export function tooLong(limit: number, packed = false): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The body is longer than ${limit} bytes${packed ? ' unpacked' : ''}; send less at once.`,
  );
}
