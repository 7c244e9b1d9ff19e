/** @module Keeps a request's body within a limit of bytes. */

import { ServeError } from '../../runtime/index.ts';

/** Memory that a body of unannounced length starts with. */
const FIRST_BYTES = 16 * 1024;
/** Most pieces that it may come in, beside one for each `PIECE_BYTES`: each costs as much as a small request. */
const MOST_PIECES = 65_536;
const PIECE_BYTES = 512;

/** A refusal where the announced length is past the limit: such a body is not read at all. */
export function wrongLength(announced: number | undefined, limit: number): ServeError | undefined {
  return announced !== undefined && announced > limit ? tooLarge(limit) : undefined;
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

/**
 * Reads a body. One of unannounced length is counted as it comes.
 *
 * @param announced Its length in bytes, undefined where the client does not say.
 * @param limit Most bytes.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, or whatever the host has for a connection that ended.
 */
export type ReadBody<Body> = (
  request: Request,
  announced: number | undefined,
  limit: number,
) => Promise<Body>;

export const readText: ReadBody<string> = (request, announced, limit) =>
  announced === undefined
    ? readCounted(request, limit).then((bytes) => new TextDecoder().decode(bytes))
    : request.text();

export const readBytes: ReadBody<Uint8Array<ArrayBuffer>> = (request, announced, limit) =>
  announced === undefined
    ? readCounted(request, limit)
    : request.arrayBuffer().then((buffer) => new Uint8Array(buffer));

/**
 * One memory that grows, because a client may send its body in any number of pieces. What it grows out of,
 * and a body that is refused, is given back at once and not when it is collected.
 */
async function readCounted(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  let memory = new Uint8Array(FIRST_BYTES);
  let bytes = 0;
  let pieces = 0;
  try {
    // Leaving the loop by the throw cancels the stream, so the rest is not received.
    for await (const chunk of (request.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
      const end = bytes + chunk.byteLength;
      pieces += 1;
      if (end > limit) throw tooLarge(limit);
      if (pieces > MOST_PIECES + end / PIECE_BYTES) throw tooManyPieces();
      if (end > memory.length) {
        const size = Math.min(Math.max(end, 2 * memory.length), limit);
        memory = new Uint8Array(memory.buffer.transfer(size));
      }
      memory.set(chunk, bytes);
      bytes = end;
    }
  } catch (error) {
    memory.buffer.transfer(0);
    throw error;
  }
  return memory.subarray(0, bytes);
}

export function notJson(): ServeError {
  return new ServeError('INVALID_JSON', 'The body is not valid JSON.');
}

function tooManyPieces(): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    'The body comes in too many small pieces; send it in larger ones.',
  );
}

function tooLarge(limit: number): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The body is longer than ${limit} bytes; send less at once.`,
  );
}
