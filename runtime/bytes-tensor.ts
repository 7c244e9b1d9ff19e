/** @module Texts as they are sent in binary: each after its length in four bytes, little-endian. */

/** The bytes of each; undefined where they end in the middle of one. */
export function decodeBytesTensor(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 4;
    const end = start <= bytes.length ? start + view.getUint32(at, true) : Infinity;
    if (end > bytes.length) return undefined;
    texts.push(bytes.subarray(start, end));
    at = end;
  }
  return texts;
}
