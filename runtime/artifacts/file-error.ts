/** @module Errors of the operating system, as callers of the runtime see them. */

import { ServeError } from '../errors.ts';

/**
 * The error for one of the file system, `STORE_UNAVAILABLE`. Others are returned as they are: those of the runtime, and
 * those of an operation that was ended.
 *
 * @param what What was read or written, at the start of a sentence.
 */
export function fileError(cause: unknown, what: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  // The codes of other errors are numbers, or names such as ABORT_ERR.
  if (cause instanceof ServeError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) {
    return cause;
  }
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const message = isFull ? `${what}: no space is left.` : `${what} (${code}).`;
  return new ServeError('STORE_UNAVAILABLE', message, { cause });
}
