/** @module Reads numbers from the headers of images. */

import { invalidImage } from './image-errors.ts';

/** Reads numbers at positions of a file. A position beyond the end is an error for the client. */
export class HeaderBytes {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws {ServeError} `INVALID_IMAGE` if the file has no such bytes */
  need(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.length) throw invalidImage('ends before its header does');
  }

  uint8(at: number): number {
    this.need(at, 1);
    return this.#bytes[at]!;
  }

  uint16(at: number, littleEndian = false): number {
    this.need(at, 2);
    return this.#view.getUint16(at, littleEndian);
  }

  uint24(at: number): number {
    this.need(at, 3);
    return this.#view.getUint16(at, true) | (this.#bytes[at + 2]! << 16);
  }

  uint32(at: number, littleEndian = false): number {
    this.need(at, 4);
    return this.#view.getUint32(at, littleEndian);
  }

  /** A number that is beyond what a file can have becomes one that is, too. */
  uint64(at: number, littleEndian = false): number {
    this.need(at, 8);
    return Number(this.#view.getBigUint64(at, littleEndian));
  }

  /** A whole number of 0 to 8 bytes, the first of which is the highest. */
  uint(at: number, bytes: number): number {
    this.need(at, bytes);
    let value = 0;
    for (let i = 0; i < bytes; i += 1) value = value * 256 + this.#bytes[at + i]!;
    return value;
  }

  /** The bytes as ASCII characters. */
  text(at: number, bytes: number): string {
    this.need(at, bytes);
    return String.fromCharCode(...this.#bytes.subarray(at, at + bytes));
  }

  /** Whether the file has these ASCII characters there. */
  has(at: number, text: string): boolean {
    if (at < 0 || at + text.length > this.length) return false;
    for (let i = 0; i < text.length; i += 1) {
      if (this.#bytes[at + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The place of the next such byte, or -1. */
  find(byte: number, from: number): number {
    return this.#bytes.indexOf(byte, from);
  }
}
