/** @module Writes embeddings: as JSON, as base64, or as the bytes of their floats. */

import type { Codec, JsonPiece, Vectors } from '../../runtime/index.ts';
import { ShortTurns } from '../../runtime/index.ts';
import type { EncodedResponse } from '../http/edge.ts';

/** JSON of more floats is written on another thread, because it takes a millisecond for each 30,000. */
const WRITTEN_HERE = 16_384;

/** The text of a JSON response around its vectors. */
export interface VectorText {
  /** Before all vectors, and after them. */
  readonly head: string;
  readonly tail: string;
  /** Before a vector, and after it. Default: nothing. */
  open?(index: number): string;
  readonly close?: string;
}

/** A response whose vectors are lists of numbers. */
export function writeNumbers(
  codec: Codec,
  { data, dimensions, rows }: Vectors,
  { head, tail, open = () => '', close = '' }: VectorText,
): EncodedResponse | Promise<EncodedResponse> {
  const pieces: JsonPiece[] = [];
  let text = head;
  for (let row = 0; row < rows; row += 1) {
    pieces.push(text + open(row), data.subarray(row * dimensions, (row + 1) * dimensions));
    text = `${close},`;
  }
  pieces.push(close + tail);
  if (data.length <= WRITTEN_HERE) return { body: codec.encodeJson(pieces) };
  return codec.encodeJsonAsync(pieces).then((body) => ({ body }));
}

/** A response whose vectors are texts: base64 of their floats, little-endian. */
export async function writeBase64(
  { data, dimensions, rows }: Vectors,
  { head, tail, open = () => '', close = '' }: VectorText,
): Promise<EncodedResponse> {
  const turns = new ShortTurns();
  const { buffer, byteOffset, BYTES_PER_ELEMENT } = data;
  const bytes = dimensions * BYTES_PER_ELEMENT;
  const texts: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    const base64 = Buffer.from(buffer, byteOffset + row * bytes, bytes).toString('base64');
    texts.push(`${open(row)}"${base64}"${close}`);
    await turns.pause();
  }
  return { body: `${head}${texts.join(',')}${tail}` };
}

/** A response that is the floats of all vectors, little-endian. */
export function writeBytes({ data, dimensions, rows }: Vectors): EncodedResponse {
  const { buffer, byteOffset, byteLength } = data;
  return {
    body: new Uint8Array(buffer, byteOffset, byteLength),
    headers: { 'Content-Type': 'application/octet-stream', 'X-Shape': `${rows},${dimensions}` },
  };
}

/** Whether the client prefers bytes to JSON. */
export function wantsBytes(headers: Headers): boolean {
  const accept = headers.get('accept');
  if (accept === null) return false;
  return quality(accept, 'application/octet-stream') > quality(accept, 'application/json');
}

/** The `q` of a type that an `Accept` header names; 0 if it does not name it. */
function quality(accept: string, type: string): number {
  for (const entry of accept.toLowerCase().split(',')) {
    const [range, ...parameters] = entry.split(';').map((part) => part.trim());
    if (range !== type) continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0;
  }
  return 0;
}
