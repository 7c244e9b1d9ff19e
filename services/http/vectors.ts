/** @module Writes embeddings: as JSON, as base64, or as the bytes of their floats. */

import type { Codec, JsonPiece, Vectors } from '../../runtime/index.ts';
import { ShortTurns } from '../../runtime/index.ts';
import type { EncodedResponse } from './edge.ts';

/** JSON of more floats is written on another thread, because it takes a millisecond for each 30,000. */
const WRITTEN_HERE = 16_384;
/** Rows that are passed on to another thread together. */
const PART_ROWS = 256;

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
  vectors: Vectors,
  text: VectorText,
): EncodedResponse | Promise<EncodedResponse> {
  if (vectors.data.length > WRITTEN_HERE) return writeElsewhere(codec, vectors, text);
  return { body: codec.encodeJson(piecesOf(vectors, text, 0, vectors.rows)) };
}

/** The same on other threads. Only a part of the vectors is passed on in each turn, because each takes a few microseconds. */
async function writeElsewhere(
  codec: Codec,
  vectors: Vectors,
  text: VectorText,
): Promise<EncodedResponse> {
  const turns = new ShortTurns();
  const parts: Promise<Uint8Array>[] = [];
  for (let first = 0; first < vectors.rows; first += PART_ROWS) {
    const pieces = piecesOf(vectors, text, first, Math.min(first + PART_ROWS, vectors.rows));
    parts.push(codec.encodeJsonAsync(pieces));
    await turns.pause();
  }
  return { body: joined(await Promise.all(parts)) };
}

/** The rows from `first` to the one before `end` as JSON, with the text before and after all rows. */
function piecesOf(
  { data, dimensions, rows }: Vectors,
  { head, tail, open = () => '', close = '' }: VectorText,
  first: number,
  end: number,
): JsonPiece[] {
  const pieces: JsonPiece[] = [];
  for (let row = first; row < end; row += 1) {
    const before = row === 0 ? head : `${close},`;
    pieces.push(before + open(row), data.subarray(row * dimensions, (row + 1) * dimensions));
  }
  if (end === rows) pieces.push(close + tail);
  return pieces;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
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
    texts.push(open(row) + JSON.stringify(base64) + close);
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
export const wantsBytes = (headers: Headers): boolean =>
  prefers(headers, 'application/octet-stream');

/** Whether the client prefers a type to JSON. */
export function prefers(headers: Headers, type: string): boolean {
  const accept = headers.get('accept');
  return accept !== null && quality(accept, type) > quality(accept, 'application/json');
}

/**
 * The `q` of a type that an `Accept` header names, itself or as all of its kind such as image/*; 0 if it does not. What the
 * header says of all types prefers none.
 */
const quality = (accept: string, type: string): number =>
  qualityOf(accept, type) ?? qualityOf(accept, type.replace(/\/.*/, '/*')) ?? 0;

function qualityOf(accept: string, wanted: string): number | undefined {
  for (const entry of accept.toLowerCase().split(',')) {
    const [range, ...parameters] = entry.split(';').map((part) => part.trim());
    if (range !== wanted) continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0;
  }
  return undefined;
}
