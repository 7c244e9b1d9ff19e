/** @module Reads messages whose strings are UTF-8, and which do not take long to decode. */

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
 * Maximum values of a message: tags, lengths and integers. A value takes up to 50 ns on the HTTP thread, so that this many
 * take 15 ms. They suffice for the 131,072 BYTES elements that HTTP requests may have. Packed elements are not counted,
 * because they stay bytes here.
 */
export const MAX_VALUES = 300_000;

/** As how many values a 64-bit integer counts, which becomes an object and then a string. */
const LONG_VALUES = 16;
/** As how many values a message within the message counts, which becomes an object with all its fields. */
const MESSAGE_VALUES = 64;
/** As how many values a string counts, which may be the name of a parameter. As many of its bytes count as one more. */
const STRING_VALUES = 16;
const STRING_BYTES = 16;
/** As how many values an element that is not packed counts, beside its tag. */
const SINGLE_VALUES = 3;

const VARINT_BYTES = 10;

/** The wire type of strings, bytes, messages and packed elements: the length comes before the bytes. */
const LENGTH_DELIMITED = 2;
/** The wire types of elements that are not packed: a varint, 64 bits and 32 bits. */
const SINGLE = [0, 1, 5];

/** Refuses strings that the library's reader would change: two model names must not become the same one. */
export class StrictReader extends protobuf.BufferReader {
  readonly #source: Buffer;
  #values = 0;
  /** The last tag, length or integer. */
  #last = 0;

  constructor(source: Buffer) {
    super(source);
    this.#source = source;
  }

  /** @throws {NotUtf8Error} */
  override string(): string {
    const bytes = this.#take(this.uint32());
    this.#count(STRING_VALUES + bytes.length / STRING_BYTES);
    if (!isUtf8(bytes)) throw new NotUtf8Error();
    return bytes.toString();
  }

  /** Also reads one element that is not packed, as its bytes. */
  override bytes(): Uint8Array {
    const wireType = this.#last & 7;
    if (wireType === LENGTH_DELIMITED) return this.#take(this.uint32());
    if (!SINGLE.includes(wireType)) throw new RangeError(`wire type ${wireType} holds no bytes`);
    this.#count(SINGLE_VALUES);
    const start = this.pos;
    this.skipType(wireType);
    return this.#source.subarray(start, this.pos);
  }

  /** Also reads tags, lengths, and integers of the types bool and int32. @throws {TooManyValuesError} */
  override uint32(): number {
    this.#count(1);
    this.#last = super.uint32();
    return this.#last;
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

  /** Without a length it skips a varint, however many bytes seem to continue it. */
  override skip(length?: number) {
    if (length !== undefined) return super.skip(length);
    let size = 1;
    while (size < VARINT_BYTES && this.#source[this.pos + size - 1]! > 127) size += 1;
    return super.skip(size);
  }

  /** Counts a message within the message. @throws {TooManyValuesError} */
  countMessage(): void {
    this.#count(MESSAGE_VALUES);
  }

  #take(length: number): Buffer {
    const start = this.pos;
    this.skip(length);
    return this.#source.subarray(start, this.pos);
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) throw new TooManyValuesError();
  }
}
