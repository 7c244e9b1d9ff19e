/** @module Keeps a request's body within a limit of bytes. */

import { type BodyShare, ServeError } from '../../runtime/index.ts';
import { decompress } from './compression.ts';
import { GrowingBytes, tooLong } from './growing-bytes.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Bodies that announce no more are not counted: the limits of requests bound what they take together. */
const UNCOUNTED = 16 * 1024;
/** Bodies that announce no more are read by the host as one piece, which copies them once less. */
const WHOLE = 1024 * 1024;
/** Most pieces that it may come in, beside one for each `PIECE_BYTES`: each costs as much as a small request. */
const MOST_PIECES = 65_536;
const PIECE_BYTES = 512;

/** A refusal where the announced length is past the limit: such a body is not read at all. */
export function wrongLength(announced: number | undefined, limit: number): ServeError | undefined {
  return announced !== undefined && announced > limit ? tooLong(limit) : undefined;
}

/** What an error while the body was read means to the client. */
export function asBodyError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  if (error instanceof SyntaxError) return notJson();
  return new ServeError(
    'BODY_INCOMPLETE',
    'The connection ended before the whole body was received.',
  );
}

/** A request whose body is read. */
export interface BodySource {
  readonly request: Request;
  /** What it holds of the budget of bytes. */
  readonly share: BodyShare;
  /** Tells how many bytes have arrived, or are announced by a body that cannot be watched. */
  received(bytes: number): void;
  /** Tells that the body is there. @throws {ServeError} `OVERLOADED` where a slow one finds the server full. */
  arrived(): void;
}

/**
 * Reads a body, unpacked by its `Content-Encoding`. What it holds of memory is taken from the budget.
 *
 * @param announced Its length in bytes, undefined where the client does not say.
 * @param limit Most bytes, also unpacked.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, `OVERLOADED`, or whatever the host has for a connection that ended.
 */
export type ReadBody<Body> = (
  source: BodySource,
  announced: number | undefined,
  limit: number,
) => Promise<Body>;

export const readText: ReadBody<string> = async (source, announced, limit) => {
  const { request } = source;
  if (announced !== undefined && announced <= UNCOUNTED && !isPacked(request)) {
    source.received(announced);
    return request.text();
  }
  const bytes = await readBytes(source, announced, limit);
  const text = new TextDecoder().decode(bytes);
  source.share.free(bytes.buffer);
  source.share.give(bytes.length);
  return text;
};

export const readBytes: ReadBody<Bytes> = async (source, announced, limit) => {
  const body = await receive(source, announced, limit);
  const coding = source.request.headers.get('content-encoding');
  return coding === null ? body : unpack(source.share, body, coding.toLowerCase(), limit);
};

async function unpack(share: BodyShare, body: Bytes, coding: string, limit: number) {
  const packed = share.held;
  const unpacked = await share.during(body.buffer, decompress(body, coding, limit, share));
  if (unpacked === body) return body;
  share.free(body.buffer);
  share.give(packed);
  return unpacked;
}

/** The body as it was sent. */
async function receive(
  source: BodySource,
  announced: number | undefined,
  limit: number,
): Promise<Bytes> {
  if (announced === undefined || announced > WHOLE) {
    const memory = new GrowingBytes(source.share, limit, announced);
    await receivePieces(source, memory);
    source.arrived();
    return memory.finish();
  }
  if (announced > UNCOUNTED) source.share.take(announced);
  source.received(announced);
  const buffer = await source.request.arrayBuffer();
  source.arrived();
  if (announced > UNCOUNTED) source.share.own(buffer);
  return new Uint8Array(buffer);
}

async function receivePieces(source: BodySource, memory: GrowingBytes): Promise<void> {
  let pieces = 0;
  // Leaving the loop by a throw cancels the stream, so the rest is not received.
  for await (const piece of (source.request.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    pieces += 1;
    memory.append(piece);
    source.received(memory.length);
    if (pieces > MOST_PIECES + memory.length / PIECE_BYTES) throw tooManyPieces();
  }
}

export const isPacked = ({ headers }: Request) => headers.has('content-encoding');

export function notJson(): ServeError {
  return new ServeError('INVALID_JSON', 'The body is not valid JSON.');
}

function tooManyPieces(): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    'The body comes in too many small pieces; send it in larger ones.',
  );
}
