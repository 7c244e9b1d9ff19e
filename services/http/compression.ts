/** @module Bodies in gzip and deflate, both ways, off the JavaScript thread. */

import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { ServeError } from '../../runtime/index.ts';

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;
const encoders = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

export type Coding = keyof typeof decoders;

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
 * @throws {ServeError} `UNSUPPORTED_ENCODING`, `PAYLOAD_TOO_LARGE`, or `BODY_INCOMPLETE` for what is no such data.
 */
export async function decompress(
  body: Uint8Array<ArrayBuffer>,
  coding: string,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (coding === 'identity') return body;
  if (!isCoding(coding)) {
    throw new ServeError(
      'UNSUPPORTED_ENCODING',
      `The body's Content-Encoding is not supported; send it as it is or in one of ${CODINGS}.`,
    );
  }
  try {
    const decoded = await decoders[coding](body, { maxOutputLength: limit });
    return new Uint8Array(decoded.buffer as ArrayBuffer, decoded.byteOffset, decoded.byteLength);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ServeError('PAYLOAD_TOO_LARGE', `The body is longer than ${limit} bytes unpacked.`);
    }
    throw new ServeError('BODY_INCOMPLETE', `The body is not valid ${coding} data.`, { cause });
  }
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

export async function compress(body: Uint8Array, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  const encoded = await encoders[coding](body, { level: LEVEL });
  return new Uint8Array(encoded.buffer as ArrayBuffer, encoded.byteOffset, encoded.byteLength);
}

const isCoding = (name: string): name is Coding => Object.hasOwn(decoders, name);
