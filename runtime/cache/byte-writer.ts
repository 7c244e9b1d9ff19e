/** @module Writes values one after the other into memory that is used again for the next ones. */

/** Memory that is kept from one use to the next; longer writings get memory of their own, which is freed. */
const KEPT_BYTES = 64 * 1024;
/** Lengths and numbers take as many bytes, and everything starts at a multiple of them. */
const WORD = 8;
/** Texts of more characters are encoded by the runtime, whose call costs more than a few characters. */
const SHORT_TEXT = 64;

/** Memory, and views of it by which elements are copied without a view of their own memory, which is slow to create. */
class Memory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Float64Array;
  readonly #floats: Float32Array;
  readonly #integers: BigInt64Array;
  /** The part that was asked for last: most keys of a model have the same length. */
  #part: Uint8Array<ArrayBuffer>;

  constructor(length: number) {
    const buffer = new ArrayBuffer(length);
    this.bytes = new Uint8Array(buffer);
    this.words = new Float64Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#integers = new BigInt64Array(buffer);
    this.#part = this.bytes.subarray(0, 0);
  }

  start(length: number): Uint8Array<ArrayBuffer> {
    if (this.#part.length !== length) this.#part = this.bytes.subarray(0, length);
    return this.#part;
  }

  copy(data: ArrayBufferView, at: number): void {
    if (data instanceof Float32Array) this.#floats.set(data, at / 4);
    else if (data instanceof BigInt64Array) this.#integers.set(data, at / WORD);
    else if (data instanceof Uint8Array) this.bytes.set(data, at);
    else this.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
  }
}

export class ByteWriter {
  readonly #encoder = new TextEncoder();
  readonly #kept = new Memory(KEPT_BYTES);
  #memory = this.#kept;
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Starts again. What was written before is lost. */
  start(): void {
    this.#memory = this.#kept;
    this.#length = 0;
  }

  /** What has been written, as a view that is valid until the next `start()`. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#memory.start(this.#length);
  }

  number(value: number): void {
    this.#reserve(WORD);
    this.#memory.words[this.#length / WORD] = value;
    this.#length += WORD;
  }

  /** Writes a text with its length. */
  text(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.#reserve(WORD + 3 * text.length);
    const start = this.#length + WORD;
    const written = this.#ascii(text, start) ?? this.#encode(text, start);
    this.number(written);
    this.#advance(written);
  }

  /** Writes bytes with their length. */
  bytes(data: ArrayBufferView): void {
    const { byteLength } = data;
    this.#reserve(WORD + byteLength);
    this.number(byteLength);
    this.#memory.copy(data, this.#length);
    this.#advance(byteLength);
  }

  /** Writes a text that is short and has only ASCII characters. @returns its bytes, or undefined for any other */
  #ascii(text: string, start: number): number | undefined {
    if (text.length > SHORT_TEXT) return undefined;
    const { bytes } = this.#memory;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return undefined;
      bytes[start + i] = code;
    }
    return text.length;
  }

  #encode(text: string, start: number): number {
    return this.#encoder.encodeInto(text, this.#memory.bytes.subarray(start)).written;
  }

  /** Fills up to a whole word with zeros: what was there before must not be a part of what is written. */
  #advance(bytes: number): void {
    const { bytes: memory } = this.#memory;
    this.#length += bytes;
    while (this.#length % WORD !== 0) {
      memory[this.#length] = 0;
      this.#length += 1;
    }
  }

  /** Makes room for bytes and the zeros after them. */
  #reserve(bytes: number): void {
    const needed = this.#length + bytes + WORD;
    const { bytes: memory } = this.#memory;
    if (needed <= memory.length) return;
    const larger = new Memory(Math.ceil(Math.max(needed, 2 * memory.length) / WORD) * WORD);
    larger.bytes.set(memory.subarray(0, this.#length));
    this.#memory = larger;
  }
}
