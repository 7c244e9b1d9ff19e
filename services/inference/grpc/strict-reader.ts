/** @module Reads strings of messages, which must be UTF-8. */

import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs/minimal.js';

/** A string of a message is not valid UTF-8. */
export class NotUtf8Error extends Error {
  override readonly name = 'NotUtf8Error';
}

/** What the library's reader puts in the place of bytes that are not UTF-8. A client may also send it. */
const REPLACEMENT = '\uFFFD';

/** Refuses strings that the library's reader would change: two model names must not become the same one. */
export class StrictReader extends protobuf.BufferReader {
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
}
