/**
 * Packed strings: any byte strings in one array, each after its length in four bytes, little-endian. This is
 * the binary data of BYTES tensors in the Open Inference Protocol.
 *
 * @module
 */

const LENGTH_BYTES = 4;

/** Packs the elements. Strings are encoded in UTF-8; byte strings stay as they are. */
export function packStrings(elements: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts = elements.map((element) =>
    typeof element === 'string' ? encoder.encode(element) : element,
  );
  const packed = new Uint8Array(parts.reduce((size, part) => size + LENGTH_BYTES + part.length, 0));
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const part of parts) {
    view.setUint32(offset, part.length, true);
    packed.set(part, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + part.length;
  }
  return packed;
}

/**
 * Returns the offset of each string's length, and after them the end of the last string. Returns undefined if
 * the bytes end in the middle of a string.
 */
export function packedOffsets(packed: Uint8Array): number[] | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const offsets = [0];
  for (let at = 0; at < packed.length; offsets.push(at)) {
    const start = at + LENGTH_BYTES;
    const end = start <= packed.length ? start + view.getUint32(at, true) : Infinity;
    if (end > packed.length) return undefined;
    at = end;
  }
  return offsets;
}

/** Returns the number of strings, or undefined if the bytes end in the middle of one. */
export function countPackedStrings(packed: Uint8Array): number | undefined {
  const offsets = packedOffsets(packed);
  return offsets === undefined ? undefined : offsets.length - 1;
}

/** Returns views of the bytes of each string, or undefined if the bytes end in the middle of one. */
export function unpackStrings(packed: Uint8Array): Uint8Array[] | undefined {
  const offsets = packedOffsets(packed);
  return offsets
    ?.slice(1)
    .map((end, index) => packed.subarray(offsets[index]! + LENGTH_BYTES, end));
}
