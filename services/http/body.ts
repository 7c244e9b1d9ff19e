/** @module Reads a request's body as text, within a limit of bytes. */

import { ServeError } from '../../runtime/index.ts';

/** `PAYLOAD_TOO_LARGE` when the announced length is past the limit: the body is not read at all. */
export function tooLong(request: Request, limit: number): ServeError | undefined {
  const length = request.headers.get('content-length');
  return length !== null && Number(length) > limit ? tooLarge(limit) : undefined;
}

/**
 * @param limit Most bytes. An announced length was checked by `tooLong`; a body without one is counted
 * as it comes.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE` or `BODY_INCOMPLETE`, as a rejection.
 */
export function readText(request: Request, limit: number): Promise<string> {
  return request.headers.get('content-length') === null
    ? readCounted(request, limit)
    : request.text();
}

async function readCounted(request: Request, limit: number): Promise<string> {
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
