/** @module Reads messages whose strings are UTF-8, and which have a limited number of values. */

import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs/minimal.js';

/** A string of a message is not valid UTF-8. */
export class NotUtf8Error extends Error {
  override readonly name = 'NotUtf8Error';
}

/** A message has more than `MAX_VALUES` values. */
export class TooManyValuesError extends Error {
  override readonly name = 'TooManyValuesError';
}

/**
 * Maximum values of a message: tags, lengths and integers, of which one of a byte may take 100 ns on the HTTP thread, so
 * that this many take 0.2 s. A 64-bit integer counts as `LONG_VALUES`, because it becomes an object and then a string.
 * FP32 and FP64 elements are not counted: their bytes limit them.
 */
export const MAX_VALUES = 2 ** 21;
export const LONG_VALUES = 2;

/** What the library's reader puts in the place of bytes that are not UTF-8. A client may also send it. */
const REPLACEMENT = '\uFFFD';

/** Refuses strings that the library's reader would change: two model names must not become the same one. */
export class StrictReader extends protobuf.BufferReader {
  #values = 0;

  /** @throws {NotUtf8Error} */
  override string(): string {
    const start = this.pos;
    const text = super.string();
    if (!text.includes(REPLACEMENT)) return text;
    // The length comes before the bytes, and is read once more to know where they start.
    const end = this.pos;
    this.pos = start;
    const bytes = this.bytes();
    this.pos = end;
    if (isUtf8(bytes)) return text;
    throw new NotUtf8Error();
  }

  /** Also reads tags, lengths, and elements of the types bool and int32. @throws {TooManyValuesError} */
  override uint32(): number {
    this.#count(1);
    return super.uint32();
  }

  /** @throws {TooManyValuesError} */
  override int64() {
    this.#count(LONG_VALUES);
    return super.int64();
  }

  /** @throws {TooManyValuesError} */
  override uint64() {
    this.#count(LONG_VALUES);
    return super.uint64();
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) throw new TooManyValuesError();
  }
}
