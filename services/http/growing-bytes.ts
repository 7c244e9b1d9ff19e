/** @module A buffer that grows, for bodies of unknown length. */

import { type BodyShare, ServeError } from '../../runtime/index.ts';

/** Initial size if no length is expected. */
const FIRST_BYTES = 16 * 1024;
/** Bytes that are taken from the budget at a time. */
const STEP_BYTES = 16 * 1024;

/**
 * A buffer to which pieces are appended. Memory that it outgrows is freed at once, not when garbage is collected.
 */
export class GrowingBytes {
  readonly #share: BodyShare;
  readonly #limit: number;
  #memory: Uint8Array<ArrayBuffer>;
  #length = 0;
  #taken = 0;

  /**
   * @param share The share of the byte budget that the bytes count against. Closing it frees the memory.
   * @param limit Maximum bytes.
   * @param expected The likely number of bytes, which is the initial size. Pages are used only when written to.
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

  /** @throws {ServeError} `PAYLOAD_TOO_LARGE` beyond the limit, `OVERLOADED` if the byte budget is used up */
  append(piece: Uint8Array): void {
    const end = this.#length + piece.byteLength;
    if (end > this.#limit) throw tooLong(this.#limit);
    this.#take(end);
    if (end > this.#memory.length) this.#grow(end);
    this.#memory.set(piece, this.#length);
    this.#length = end;
  }

  /** What was appended so far. It shares the buffer, which the next call of `append` may free. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#length);
  }

  /** Returns the bytes, which share the buffer. Nothing may be appended afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes;
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

/**
 * @param limit Maximum bytes.
 * @param compressed Whether the limit was exceeded by decompressing the body.
 */
export function tooLong(limit: number, compressed = false): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The body is longer than ${limit} bytes${compressed ? ' after decompression' : ''}; send less at once.`,
  );
}
