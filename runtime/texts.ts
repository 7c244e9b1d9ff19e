/** @module Texts as they are sent in binary: each after its length in four bytes, little-endian. */

/** Undefined where the bytes end in the middle of a text. */
export function decodeTexts(bytes: Uint8Array): string[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 4;
    const end = start <= bytes.length ? start + view.getUint32(at, true) : Infinity;
    if (end > bytes.length) return undefined;
    texts.push(decoder.decode(bytes.subarray(start, end)));
    at = end;
  }
  return texts;
}
