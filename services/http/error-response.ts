/** @module Converts errors to HTTP responses. It has the only table of status codes. */

import { type ServeCode, ServeError } from '../../runtime/index.ts';

/** The status that is recorded if the client closed the connection. It is never sent. */
const CLIENT_CLOSED = 499;

/** The HTTP status of each error code. */
export const STATUS: Readonly<Record<ServeCode, number>> = {
  INVALID_ARGUMENT: 400,
  INVALID_JSON: 400,
  BODY_INCOMPLETE: 400,
  WRONG_TASK: 400,
  INVALID_IMAGE: 400,
  LOAD_FAILED: 400,
  CROSS_SITE: 403,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  MODEL_NOT_FOUND: 404,
  VERSION_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  BODY_TIMEOUT: 408,
  CONFLICT: 409,
  STALE_REVISION: 412,
  PAYLOAD_TOO_LARGE: 413,
  IMAGE_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNSUPPORTED_ENCODING: 415,
  REJECTED: 422,
  REVISION_REQUIRED: 428,
  CANCELLED: CLIENT_CLOSED,
  INTERNAL: 500,
  INVALID_CONFIG: 500,
  LISTEN_FAILED: 500,
  CONTROL_DISABLED: 503,
  MODEL_NOT_READY: 503,
  OVERLOADED: 503,
  STORE_UNAVAILABLE: 503,
  DRAINING: 503,
  DEADLINE_EXCEEDED: 504,
};

/** Errors after which the connection is closed: by the host on Bun, by the client on Deno. */
const CLOSES: readonly ServeCode[] = ['DRAINING', 'BODY_TIMEOUT', 'PAYLOAD_TOO_LARGE'];

/** The value of `Retry-After`, seconds; the header has no finer unit, so it is at least 1. */
function retryAfter({ retryAfterMs = 0 }: ServeError): string {
  return String(Math.max(Math.ceil(retryAfterMs / 1000), 1));
}

/** Whether the same request may succeed later. A server that cannot load a model stays as it is. */
const isTransient = ({ code, retryAfterMs }: ServeError): boolean =>
  code === 'OVERLOADED' ||
  code === 'DRAINING' ||
  code === 'STORE_UNAVAILABLE' ||
  retryAfterMs !== undefined;

/** Converts anything thrown to an error that a client may see: unknown errors become `INTERNAL`. */
export function toServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  return new ServeError('INTERNAL', 'The server failed to process the request.', { cause: error });
}

/** Makes the body of an error response. */
export type ErrorBody = (error: ServeError, requestId: string) => object;

/** The body of an error response: `{"error":"one sentence","code":"MODEL_NOT_FOUND","request_id":"…"}`. */
export const errorBody: ErrorBody = ({ message, code }, requestId) => ({
  error: message,
  code,
  request_id: requestId,
});

/** Creates the response to an error with its status and headers. */
export function errorResponse(
  error: ServeError,
  requestId: string,
  extraHeaders: Readonly<Record<string, string>> = {},
  content = errorBody(error, requestId),
): Response {
  const status = STATUS[error.code];
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'X-Request-Id': requestId,
    ...extraHeaders,
  };
  if (isTransient(error)) headers['Retry-After'] = retryAfter(error);
  // The body may still be arriving; closing the connection means that it need not be received.
  if (CLOSES.includes(error.code)) headers.Connection = 'close';
  return new Response(JSON.stringify(content), { status, headers });
}

/** The status of a readiness response: 200 or 503. */
export const readiness = (ready: boolean) => (ready ? 200 : 503);

/** Whether an error is the server's own fault, and so is logged: not the client's, and not overload. */
export function isFault(error: ServeError): boolean {
  return STATUS[error.code] === STATUS.INTERNAL;
}
