/** @module Encodes and decodes binary requests and responses by hand: a checker must not trust the codec under test. */

import type { HttpResponse, JsonInput } from './server.ts';

const SIZES: Readonly<Record<string, number>> = {
  BOOL: 1,
  INT8: 1,
  UINT8: 1,
  INT16: 2,
  UINT16: 2,
  FP16: 2,
  BF16: 2,
  INT32: 4,
  UINT32: 4,
  FP32: 4,
  INT64: 8,
  UINT64: 8,
  FP64: 8,
};

export const elementBytes = (datatype: string): number | undefined => SIZES[datatype];

/** The elements of a valid input, little-endian; each string follows its length. */
export function binaryData({ datatype, data = [] }: JsonInput): Uint8Array {
  if (datatype === 'BYTES') {
    return Buffer.concat(
      data.flatMap((element) => {
        const bytes = new TextEncoder().encode(String(element));
        return [Uint8Array.of(bytes.length, 0, 0, 0), bytes];
      }),
    );
  }
  const size = SIZES[datatype] ?? 4;
  const bytes = new Uint8Array(size * data.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of data.entries()) write(view, index * size, datatype, Number(value));
  return bytes;
}

function write(view: DataView, at: number, datatype: string, value: number): void {
  if (datatype === 'FP32') view.setFloat32(at, value, true);
  else if (datatype === 'FP64') view.setFloat64(at, value, true);
  else if (datatype === 'FP16') view.setUint16(at, value === 1 ? 0x3c00 : 0, true);
  else if (datatype === 'BF16') view.setUint16(at, value === 1 ? 0x3f80 : 0, true);
  else if (datatype.endsWith('64')) view.setBigInt64(at, BigInt(value), true);
  else if (datatype.endsWith('32')) view.setInt32(at, value, true);
  else if (datatype.endsWith('16')) view.setInt16(at, value, true);
  else view.setInt8(at, value);
}

/** A JSON header followed by its binary data, and the length of the header. */
export function binaryBody(json: object, blobs: readonly Uint8Array[]) {
  const head = new TextEncoder().encode(JSON.stringify(json));
  return { body: Buffer.concat([head, ...blobs]), length: head.length };
}

/** The JSON header of a binary response and the data after it; undefined if it is not a binary response. */
export function splitResponse({ bytes, headers }: HttpResponse) {
  const length = Number(headers.get('inference-header-content-length') ?? Number.NaN);
  if (!Number.isInteger(length) || length > bytes.length) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(0, length));
  // biome-ignore lint/suspicious/noExplicitAny: the server may return anything
  return { json: JSON.parse(text) as any, data: bytes.subarray(length) };
}
