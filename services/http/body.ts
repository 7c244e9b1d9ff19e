/** @module Keeps a request's body within a limit of bytes. */

import { ServeError } from '../../runtime/index.ts';

/** A refusal where the announced length is past the limit: such a body is not read at all. */
export function wrongLength(announced: string | null, limit: number): ServeError | undefined {
  return announced !== null && Number(announced) > limit ? tooLarge(limit) : undefined;
}

/** What an error while the body was read means to the client. */
export function asBodyError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  return new ServeError(
    'BODY_INCOMPLETE',
    'The connection ended before the whole body was received.',
  );
}

/**
 * Reads a body of unannounced length, which is counted as it comes.
 *
 * @param limit Most bytes.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, or whatever the host has for a connection that ended.
 */
export async function readCounted(request: Request, limit: number): Promise<string> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // Leaving the loop by the throw cancels the stream, so the rest is not received.
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > limit) throw tooLarge(limit);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function tooLarge(limit: number): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The body is longer than ${limit} bytes; send fewer rows at once.`,
  );
}
