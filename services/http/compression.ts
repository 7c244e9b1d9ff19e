/**
 * Bodies in gzip and deflate, both ways, a slice at a time: on another thread where the host does that, and
 * elsewhere so that the thread does other things between two slices.
 *
 * @module
 */

import type { Transform } from 'node:stream';
import { createDeflate, createGunzip, createGzip, createInflate } from 'node:zlib';
import { type BodyShare, ServeError } from '../../runtime/index.ts';
import { GrowingBytes, tooLong } from './growing-bytes.ts';

const decoders = { gzip: createGunzip, deflate: createInflate } as const;
const encoders = { gzip: createGzip, deflate: createDeflate } as const;

export type Coding = keyof typeof decoders;

/** Packed bytes that are unpacked at a time: a thousandfold, which is the most there is, in milliseconds. */
const PACKED_SLICE = 4 * 1024;
/** No deflate data unpacks to more times its length. */
const MOST_RATIO = 1032;
/** Plain bytes that are packed at a time. */
const PLAIN_SLICE = 256 * 1024;
/** After so long the thread does other things before the next slice. */
const TURN_MS = 4;
/** Bytes that come out at a time. */
const OUTPUT_BYTES = 128 * 1024;

/** The codings that are understood, as `Accept-Encoding` lists them. */
export const CODINGS = Object.keys(decoders).join(', ');

/** A shorter answer costs more time to compress than to send. */
const MIN_BYTES = 1024;
/** Numbers in decimal shrink at any level; time does not. */
const LEVEL = 1;

/**
 * The body behind a `Content-Encoding`.
 *
 * @param limit Most bytes that come out.
 * @param share Counts them as they come out.
 * @throws {ServeError} `UNSUPPORTED_ENCODING`, `PAYLOAD_TOO_LARGE`, `OVERLOADED`, or `BODY_INCOMPLETE` for
 * what is no such data.
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
  const memory = new GrowingBytes(share, limit, coding === 'gzip' ? plainBytes(body) : undefined);
  const decoder = decoders[coding]({ chunkSize: OUTPUT_BYTES });
  try {
    await pump(decoder, body, PACKED_SLICE, (piece) => {
      memory.append(piece);
      free(piece);
    });
  } catch (cause) {
    if (!(cause instanceof ServeError)) {
      throw new ServeError('BODY_INCOMPLETE', `The body is not valid ${coding} data.`, { cause });
    }
    throw cause.code === 'PAYLOAD_TOO_LARGE' ? tooLong(limit, true) : cause;
  }
  return memory.finish();
}

/** How long a gzip body says that it is without compression, as far as that can be true. */
function plainBytes(body: Uint8Array<ArrayBuffer>): number {
  if (body.length < 4) return 0;
  const said = new DataView(body.buffer, body.byteOffset + body.length - 4).getUint32(0, true);
  return Math.min(said, body.length * MOST_RATIO);
}

/** Gives back memory that the decoder has filled to its end, of which it would leave much to be collected. */
function free({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) {
    buffer.transfer(0);
  }
}

/** Sends bytes through a stream, slice by slice. Rejects with what `take` throws, and ends the stream then. */
function pump(
  stream: Transform,
  input: Uint8Array,
  slice: number,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let start = 0;
    let turn = performance.now();
    const nextTurn = () => {
      turn = performance.now();
      next();
    };
    const next = () => {
      if (stream.destroyed) return;
      const piece = input.subarray(start, start + slice);
      start += slice;
      if (start >= input.length) stream.end(piece);
      else
        stream.write(piece, () => {
          if (performance.now() - turn < TURN_MS) next();
          // Not setImmediate, which on Deno comes before the network, again and again.
          else setTimeout(nextTurn, 0);
        });
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

/** The coding a client prefers of those there are; undefined where it wants the body as it is. */
export function acceptedCoding(accept: string | null, bytes: number): Coding | undefined {
  if (accept === null || bytes < MIN_BYTES) return undefined;
  let best: Coding | undefined;
  let weight = 0;
  for (const entry of accept.split(',')) {
    const [name = '', ...terms] = entry.split(';').map((part) => part.trim().toLowerCase());
    const quality = terms.find((term) => term.startsWith('q='))?.slice(2);
    const wanted = quality === undefined ? 1 : Number(quality);
    if (isCoding(name) && wanted > weight) [best, weight] = [name, wanted];
  }
  return best;
}

/** The body in a coding. It must stay as it is meanwhile. */
export async function compress(body: Uint8Array, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = encoders[coding]({ level: LEVEL, chunkSize: OUTPUT_BYTES });
  // Room for what does not shrink, of which level 1 of zlib-ng makes nine bits of each byte: memory that is not
  // written to is not taken.
  const packed = new Uint8Array(body.length + (body.length >>> 3) + MIN_BYTES);
  let length = 0;
  await pump(encoder, body, PLAIN_SLICE, (piece) => {
    packed.set(piece, length);
    length += piece.length;
  });
  return packed.subarray(0, length);
}

const isCoding = (name: string): name is Coding => Object.hasOwn(decoders, name);
