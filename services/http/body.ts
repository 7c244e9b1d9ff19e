/** @module Reads bodies of requests within limits on their bytes. */

import { type BodyShare, ServeError, ShortTurns } from '../../runtime/index.ts';
import { decompress } from './compression.ts';
import { GrowingBytes, tooLong } from './growing-bytes.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Bodies whose announced length is at most this do not count against the byte budget: the limits on requests in flight bound their sum. */
const UNCOUNTED = 16 * 1024;
/** The host reads bodies of at most this announced length in one piece, which saves a copy. */
const WHOLE = 1024 * 1024;
/** A body may arrive in this many pieces, and one more for each `PIECE_BYTES`: each piece costs as much as a small request. */
const MAX_PIECES = 65_536;
const PIECE_BYTES = 512;
/** After this many pieces the time of the turn is checked. */
const PIECES_PER_CHECK = 256;

/** The refusal if the announced length exceeds the limit, so that the body is not read at all; lengths in bytes. */
export function wrongLength(announced: number | undefined, limit: number): ServeError | undefined {
  return announced !== undefined && announced > limit ? tooLong(limit) : undefined;
}

/** Converts an error of reading a body that is the client's fault to one that it may see, and returns any other. */
export function asBodyError(error: unknown): unknown {
  if (!isOfConnection(error)) return error;
  return new ServeError(
    'BODY_INCOMPLETE',
    'The connection ended before the whole body was received.',
    { cause: error },
  );
}

/** Names of the errors with which Bun and Deno reject if the client disconnects or its framing is invalid. */
const OF_CONNECTION = ['AbortError', 'BadResource', 'Http', 'Interrupted', 'ConnectionReset'];

const isOfConnection = (error: unknown): boolean =>
  error instanceof Error &&
  (OF_CONNECTION.includes(error.name) || error.message.startsWith('invalid HTTP/1 request'));

/** A request whose body is being read. */
export interface BodySource {
  readonly request: Request;
  /** The request's share of the byte budget. */
  readonly share: BodyShare;
  /** Reports how many bytes have arrived so far, or the announced length if the host reads the body in one piece. */
  received(bytes: number): void;
  /** Reports that the whole body has arrived. @throws {ServeError} `OVERLOADED` if the body was slow and too many requests are in flight. */
  arrived(): void;
}

/**
 * Reads a body and decompresses it by its `Content-Encoding`. Its memory counts against the byte budget.
 *
 * @param announced The `Content-Length`; undefined if there is none.
 * @param limit Maximum bytes, before and after decompression.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, `OVERLOADED`, `UNSUPPORTED_ENCODING` or `INVALID_ARGUMENT`; also throws
 * the host's error for a connection that ended, which `asBodyError` converts.
 */
export type ReadBody<Body> = (
  source: BodySource,
  announced: number | undefined,
  limit: number,
) => Promise<Body>;

export const readText: ReadBody<string> = (source, announced, limit) => {
  if (!isShort(announced, source.request)) return readLongText(source, announced, limit);
  source.received(announced);
  return source.request.text();
};

/** As `readText`, but refuses bytes that are not UTF-8, which that replaces. */
export const readUtf8: ReadBody<string> = (source, announced, limit) => {
  if (!isShort(announced, source.request)) {
    return readLongText(source, announced, limit, decodeUtf8);
  }
  source.received(announced);
  return source.request.bytes().then(decodeUtf8);
};

async function readLongText(
  source: BodySource,
  announced: number | undefined,
  limit: number,
  decode = decodeAny,
): Promise<string> {
  const bytes = await readLongBytes(source, announced, limit);
  const text = decode(bytes);
  // The length stays counted until the response, because the text or its parsed value stays in memory.
  source.share.free(bytes.buffer);
  return text;
}

const decodeAny = (bytes: Bytes): string => new TextDecoder().decode(bytes);

/** @throws {ServeError} `INVALID_JSON` */
export function decodeUtf8(bytes: Bytes): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = 'The body is not UTF-8, as JSON must be; encode its texts in UTF-8.';
    throw new ServeError('INVALID_JSON', message, { cause });
  }
}

export const readBytes: ReadBody<Bytes> = (source, announced, limit) => {
  if (!isShort(announced, source.request)) return readLongBytes(source, announced, limit);
  source.received(announced);
  return source.request.bytes();
};

/**
 * Reads bytes as `readBytes`, and shows what has arrived so far, so that a body that is to be refused need not be received to
 * its end. Bodies of one piece, and compressed ones, are not shown.
 *
 * @param look Is called with all bytes so far, which must not be kept. It may throw.
 */
export const readBytesLooking = (
  source: BodySource,
  announced: number | undefined,
  limit: number,
  look: (bytes: Bytes) => void,
): Promise<Bytes> => {
  if (isCompressed(source.request)) return readBytes(source, announced, limit);
  if (!isShort(announced, source.request)) return receive(source, announced, limit, look);
  source.received(announced);
  return source.request.bytes();
};

/** Returns whether the host can read the body in one call, which costs a small request less time than our own steps. */
function isShort(announced: number | undefined, request: Request): announced is number {
  return announced !== undefined && announced <= UNCOUNTED && !isCompressed(request);
}

async function readLongBytes(
  source: BodySource,
  announced: number | undefined,
  limit: number,
): Promise<Bytes> {
  const body = await receive(source, announced, limit);
  const coding = source.request.headers.get('content-encoding');
  return coding === null ? body : decompressed(source.share, body, coding.toLowerCase(), limit);
}

async function decompressed(share: BodyShare, body: Bytes, coding: string, limit: number) {
  const held = share.held;
  const result = await share.during(body.buffer, decompress(body, coding, limit, share));
  if (result === body) return body;
  share.free(body.buffer);
  share.give(held);
  return result;
}

/** Reads the body without decompressing it. @param look As in `readBytesLooking`. */
async function receive(
  source: BodySource,
  announced: number | undefined,
  limit: number,
  look?: (bytes: Bytes) => void,
): Promise<Bytes> {
  if (announced === undefined || announced > WHOLE) {
    const memory = new GrowingBytes(source.share, limit, announced);
    await receivePieces(source, memory, look);
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

async function receivePieces(
  source: BodySource,
  memory: GrowingBytes,
  look?: (bytes: Bytes) => void,
): Promise<void> {
  let pieces = 0;
  const turns = new ShortTurns();
  // An error that leaves the loop cancels the stream, so the rest is not received.
  for await (const piece of source.request.body ?? []) {
    pieces += 1;
    memory.append(piece);
    source.received(memory.length);
    look?.(memory.bytes);
    if (pieces > MAX_PIECES + memory.length / PIECE_BYTES) throw tooManyPieces();
    // The pieces of a large read come one after the other in one turn of the event loop.
    if (pieces % PIECES_PER_CHECK === 0) await turns.pause();
  }
}

const isCompressed = ({ headers }: Request) => headers.has('content-encoding');

function tooManyPieces(): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    'The body arrives in too many small pieces; send it in larger ones.',
  );
}
