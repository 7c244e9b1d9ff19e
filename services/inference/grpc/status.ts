/** @module Converts errors to the statuses of gRPC calls, with the only table of their codes. */

import { status } from '@grpc/grpc-js';
import type { ServeCode, ServeError } from '../../../runtime/index.ts';
import { toServeError } from '../../http/error-response.ts';

export const CODES: Readonly<Record<ServeCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  INVALID_IMAGE: status.INVALID_ARGUMENT,
  IMAGE_TOO_LARGE: status.INVALID_ARGUMENT,
  WRONG_TASK: status.INVALID_ARGUMENT,
  INVALID_JSON: status.INVALID_ARGUMENT,
  BODY_INCOMPLETE: status.INVALID_ARGUMENT,
  LOAD_FAILED: status.INVALID_ARGUMENT,
  UNSUPPORTED_MEDIA_TYPE: status.INVALID_ARGUMENT,
  UNSUPPORTED_ENCODING: status.INVALID_ARGUMENT,
  CROSS_SITE: status.PERMISSION_DENIED,
  FORBIDDEN: status.PERMISSION_DENIED,
  NOT_FOUND: status.NOT_FOUND,
  CONFLICT: status.ALREADY_EXISTS,
  STALE_REVISION: status.ABORTED,
  REVISION_REQUIRED: status.FAILED_PRECONDITION,
  REJECTED: status.INVALID_ARGUMENT,
  STORE_UNAVAILABLE: status.UNAVAILABLE,
  MODEL_NOT_FOUND: status.NOT_FOUND,
  VERSION_NOT_FOUND: status.NOT_FOUND,
  ROUTE_NOT_FOUND: status.UNIMPLEMENTED,
  METHOD_NOT_ALLOWED: status.UNIMPLEMENTED,
  PAYLOAD_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  CANCELLED: status.CANCELLED,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  BODY_TIMEOUT: status.DEADLINE_EXCEEDED,
  MODEL_NOT_READY: status.UNAVAILABLE,
  CONTROL_DISABLED: status.UNAVAILABLE,
  OVERLOADED: status.UNAVAILABLE,
  DRAINING: status.UNAVAILABLE,
  INTERNAL: status.INTERNAL,
  INVALID_CONFIG: status.INTERNAL,
  LISTEN_FAILED: status.INTERNAL,
};

/**
 * Maximum bytes of a status's message as it is sent. Clients refuse trailers of more than 8 KiB, and then report the
 * call as UNKNOWN.
 */
const MAX_BYTES = 4096;

/** Converts whatever was thrown to the status that the library sends. */
export function toStatus(thrown: unknown): { code: status; details: string; error: ServeError } {
  const error = toServeError(thrown);
  return { code: CODES[error.code], details: fitTrailer(error.message), error };
}

/** Cuts the message of a status to the length that trailers may have. They contain it percent-encoded. */
export function fitTrailer(message: string): string {
  // A UTF-16 unit becomes at most nine bytes.
  if (message.length * 9 <= MAX_BYTES) return message;
  const sound = message.slice(0, MAX_BYTES).replace(/\p{Cs}/gu, '\uFFFD');
  if (sound.length === message.length && encodeURI(sound).length <= MAX_BYTES) return sound;
  let kept = '';
  let bytes = encodeURI('…').length;
  for (const character of sound) {
    bytes += encodeURI(character).length;
    if (bytes > MAX_BYTES) break;
    kept += character;
  }
  return `${kept}…`;
}
