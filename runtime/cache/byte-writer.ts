/** @module Writes values one after the other into memory that is used again for the next ones. */

/** Memory that is kept from one use to the next; longer writings get memory of their own, which is freed. */
const KEPT_BYTES = 64 * 1024;
const LENGTH_BYTES = 8;

export class ByteWriter {
  readonly #encoder = new TextEncoder();
  readonly #kept = new Uint8Array(KEPT_BYTES);
  #memory = this.#kept;
  #view = new DataView(this.#memory.buffer);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Starts again. What was written before is lost. */
  start(): void {
    if (this.#memory !== this.#kept) this.#use(this.#kept);
    this.#length = 0;
  }

  /** What has been written, as a view that is valid until the next `start()`. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#length);
  }

  number(value: number): void {
    this.#reserve(LENGTH_BYTES);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += LENGTH_BYTES;
  }

  /** Writes a text with its length. */
  text(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.#reserve(LENGTH_BYTES + text.length * 3);
    const start = this.#length + LENGTH_BYTES;
    const { written } = this.#encoder.encodeInto(text, this.#memory.subarray(start));
    this.#view.setFloat64(this.#length, written, true);
    this.#length = start + written;
  }

  /** Writes bytes with their length. */
  bytes({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.#reserve(LENGTH_BYTES + byteLength);
    this.number(byteLength);
    this.#memory.set(new Uint8Array(buffer, byteOffset, byteLength), this.#length);
    this.#length += byteLength;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#memory.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#memory.length));
    larger.set(this.#memory.subarray(0, this.#length));
    this.#use(larger);
  }

  #use(memory: Uint8Array<ArrayBuffer>): void {
    this.#memory = memory;
    this.#view = new DataView(memory.buffer);
  }
}
