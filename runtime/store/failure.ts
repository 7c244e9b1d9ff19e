/** @module What a failed statement is for the callers of a store: a database that is away, or a statement that is wrong. */

import { ServeError } from '../errors.ts';
import { SqlError } from '../host/index.ts';

const RETRY_MS = 1000;

/**
 * States with which a later attempt may succeed: lost connections (08), a login that is refused (28, 3D), a transaction that
 * was rolled back (40), too few resources (53), a canceled statement or a server that stops (57), a failed disk (58), a
 * standby that takes no writes yet (25006), and a transaction or a lock that took too long (25P03, 55P03).
 */
const TEMPORARY = /^(?:08|28|3D|40|53|57|58)|^(?:25006|25P03|55P03)$/;

/** The error for a database that cannot be reached now. */
export const unavailable = (cause?: unknown): ServeError =>
  new ServeError('STORE_UNAVAILABLE', 'The database cannot be reached; retry later.', {
    cause,
    retryAfterMs: RETRY_MS,
  });

/** The error for a statement without a result in time, which may have been carried out. */
export const late = (): ServeError =>
  new ServeError('STORE_UNAVAILABLE', 'The database did not answer in time; retry later.', {
    retryAfterMs: RETRY_MS,
  });

/** Converts the error of a driver. Anything but a refusal by PostgreSQL is a lost connection. */
export function storeFailure(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  if (!(error instanceof SqlError) || TEMPORARY.test(error.code)) return unavailable(error);
  return new ServeError('INTERNAL', 'The database could not carry out a statement.', {
    cause: error,
  });
}

/** A failure as it passes between threads. */
export interface WireFailure {
  readonly code: ServeError['code'];
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  /** The error of the driver, for the log. Its state is undefined if it is not one of PostgreSQL. */
  readonly cause: { readonly message: string; readonly state: string | undefined } | undefined;
}

export function toWire(error: unknown): WireFailure {
  const { code, message, retryAfterMs, cause } = storeFailure(error);
  const state = cause instanceof SqlError ? cause.code : undefined;
  return {
    ...{ code, message, retryAfterMs },
    cause: cause instanceof Error ? { message: cause.message, state } : undefined,
  };
}

export function fromWire({ code, message, retryAfterMs, cause }: WireFailure): ServeError {
  return new ServeError(code, message, { retryAfterMs, cause: cause && asError(cause) });
}

const asError = ({ message, state }: NonNullable<WireFailure['cause']>) =>
  state === undefined ? new Error(message) : new SqlError(message, state);
