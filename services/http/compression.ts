/**
 * Compresses and decompresses bodies in gzip and deflate. It works in slices: the host runs them on another
 * thread, or the HTTP thread serves other requests between two slices.
 *
 * @module
 */

import type { Transform } from 'node:stream';
import { createDeflate, createGunzip, createGzip, createInflate } from 'node:zlib';
import { type BodyShare, ServeError, ShortTurns } from '../../runtime/index.ts';
import { GrowingBytes, tooLong } from './growing-bytes.ts';

const decoders = { gzip: createGunzip, deflate: createInflate } as const;
const encoders = { gzip: createGzip, deflate: createDeflate } as const;

export type Coding = keyof typeof decoders;

/** Compressed bytes of a slice. Even at the maximum ratio, decompressing them takes only milliseconds. */
const PACKED_SLICE = 4 * 1024;
/** Maximum ratio of decompressed to compressed bytes in the deflate format. */
const MAX_RATIO = 1032;
/** Bytes of a slice that is compressed. */
const PLAIN_SLICE = 256 * 1024;
/** Size of the output buffer. */
const OUTPUT_BYTES = 128 * 1024;

/** The supported codings, separated as in `Accept-Encoding`. */
export const CODINGS = Object.keys(decoders).join(', ');

/** Compressing a shorter response would take more time than it saves. */
const MIN_BYTES = 1024;
/** Decimal numbers compress well at every level, and the lowest level is the fastest. */
const LEVEL = 1;

/**
 * Decompresses a body.
 *
 * @param coding The request's `Content-Encoding`, in lower case.
 * @param limit Maximum bytes of the result.
 * @param share The share of the byte budget that the result counts against.
 * @throws {ServeError} `UNSUPPORTED_ENCODING`, `PAYLOAD_TOO_LARGE`, `OVERLOADED`, or `INVALID_ARGUMENT` if
 * the body is not valid data of this coding.
 */
export async function decompress(
  body: Uint8Array<ArrayBuffer>,
  coding: string,
  limit: number,
  share: BodyShare,
): Promise<Uint8Array<ArrayBuffer>> {
  if (coding === 'identity') return body;
  if (!isCoding(coding)) {
    throw new ServeError(
      'UNSUPPORTED_ENCODING',
      `The body's Content-Encoding is not supported; send it as it is or in one of ${CODINGS}.`,
    );
  }
  const memory = new GrowingBytes(share, limit, coding === 'gzip' ? statedLength(body) : undefined);
  const decoder = decoders[coding]({ chunkSize: OUTPUT_BYTES });
  try {
    await pump(decoder, body, PACKED_SLICE, (piece) => {
      memory.append(piece);
      freeIfFull(piece);
    });
  } catch (cause) {
    if (!(cause instanceof ServeError)) {
      throw new ServeError(
        'INVALID_ARGUMENT',
        `The body is not valid ${coding} data, as its Content-Encoding says; compress it again, or send it without Content-Encoding.`,
        { cause },
      );
    }
    throw cause.code === 'PAYLOAD_TOO_LARGE' ? tooLong(limit, true) : cause;
  }
  return memory.finish();
}

/** The decompressed length that the trailer of a gzip body states, capped by the maximum ratio. */
function statedLength(body: Uint8Array<ArrayBuffer>): number {
  if (body.length < 4) return 0;
  const stated = new DataView(body.buffer, body.byteOffset + body.length - 4).getUint32(0, true);
  return Math.min(stated, body.length * MAX_RATIO);
}

/** Frees an output buffer that the decoder has filled to its end, instead of leaving it to the garbage collector. */
function freeIfFull({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) {
    buffer.transfer(0);
  }
}

/** Sends bytes through a stream in slices. If `take` throws, destroys the stream and rejects with that error. */
function pump(
  stream: Transform,
  input: Uint8Array,
  slice: number,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let start = 0;
    const turns = new ShortTurns();
    const next = () => {
      if (stream.destroyed) return;
      const piece = input.subarray(start, start + slice);
      start += slice;
      if (start >= input.length) stream.end(piece);
      else stream.write(piece, () => void turns.pause().then(next));
    };
    stream.on('data', (piece: Uint8Array) => {
      if (stream.destroyed) return;
      try {
        take(piece);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.on('end', resolve);
    stream.on('error', reject);
    next();
  });
}

/**
 * The supported coding that a client prefers; undefined if the response must not be compressed or is too short.
 *
 * @param accept The request's `Accept-Encoding`.
 * @param bytes Length of the response's body.
 */
export function acceptedCoding(accept: string | null, bytes: number): Coding | undefined {
  if (accept === null || bytes < MIN_BYTES) return undefined;
  let best: Coding | undefined;
  let weight = 0;
  for (const entry of accept.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const wanted = quality === undefined ? 1 : Number(quality);
    if (isCoding(name) && wanted > weight) [best, weight] = [name, wanted];
  }
  return best;
}

/** Compresses a body, which the caller must not change meanwhile. */
export async function compress(body: Uint8Array, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = encoders[coding]({ level: LEVEL, chunkSize: OUTPUT_BYTES });
  // The buffer fits data that does not shrink: level 1 of zlib-ng writes up to nine bits per byte. The system
  // provides only the pages that are written to.
  const packed = new Uint8Array(body.length + (body.length >>> 3) + MIN_BYTES);
  let length = 0;
  await pump(encoder, body, PLAIN_SLICE, (piece) => {
    packed.set(piece, length);
    length += piece.length;
  });
  return packed.subarray(0, length);
}

const isCoding = (name: string): name is Coding => Object.hasOwn(decoders, name);
