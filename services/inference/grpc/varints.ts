/** @module Integers in the form in which protobuf packs them: seven bits in each byte, the lowest bits first. */

/** The last byte of a varint is the first one that is smaller. */
const CONTINUED = 0x80;
const MAX_BYTES = 10;

/** Elements of a tensor of integers. */
export type Integers =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Reads the low 32 bits of each varint; if `wide`, all 64 bits, as a low and a high word.
 *
 * @returns The words; undefined if the bytes end within a varint or hold a longer one.
 */
export function readVarints(
  bytes: Uint8Array,
  wide: boolean,
): Uint32Array<ArrayBuffer> | undefined {
  const step = wide ? 2 : 1;
  const words = new Uint32Array(bytes.length * step);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    let byte = bytes[at]!;
    at += 1;
    if (byte < CONTINUED) {
      words[count] = byte;
      count += step;
      continue;
    }
    let low = byte & 127;
    let high = 0;
    for (let shift = 7; byte >= CONTINUED; shift += 7) {
      if (at === bytes.length || shift === 7 * MAX_BYTES) return undefined;
      byte = bytes[at]!;
      at += 1;
      const bits = byte & 127;
      if (shift < 32) low |= bits << shift;
      // The fifth byte has bits of both words.
      if (shift > 28) high |= bits << (shift - 32);
      else if (shift === 28) high = bits >> 4;
    }
    words[count] = low;
    if (wide) words[count + 1] = high;
    count += step;
  }
  return words.subarray(0, count);
}

/** Reads the 64-bit integers of a short list; undefined if there are more than `most`, or their bytes are not varints. */
export function readInt64s(pieces: readonly Uint8Array[], most: number): bigint[] | undefined {
  if (pieces.reduce((sum, { length }) => sum + length, 0) > MAX_BYTES * most) return undefined;
  const words = readVarints(Buffer.concat(pieces), true);
  if (words === undefined || words.length > 2 * most) return undefined;
  return [...new BigInt64Array(words.buffer, 0, words.length / 2)];
}

/** Packs integers. Negative ones take ten bytes, whatever their type. */
export function writeVarints(integers: Integers): Buffer {
  const { buffer, byteOffset, length, BYTES_PER_ELEMENT: size } = integers;
  const bytes = Buffer.allocUnsafe(MAX_BYTES * length);
  const wide = size === 8 ? new Uint32Array(buffer, byteOffset, 2 * length) : undefined;
  let at = 0;
  for (let index = 0; index < length; index += 1) {
    const value = wide?.[2 * index] ?? Number(integers[index]);
    let low = value >>> 0;
    let high = wide?.[2 * index + 1] ?? (value < 0 ? 0xffff_ffff : 0);
    while (high !== 0 || low >= CONTINUED) {
      bytes[at] = (low & 127) | CONTINUED;
      at += 1;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at] = low;
    at += 1;
  }
  return bytes.subarray(0, at);
}
