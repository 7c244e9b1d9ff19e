/** @module Errors as they pass between threads. */

import { ServeError } from './errors.ts';

/** An error as it passes between threads. */
export interface Failure {
  readonly code: ServeError['code'];
  readonly message: string;
}

/** Converts an error for another thread. The message is replaced unless it is a `ServeError`, because clients see it. */
export function toFailure(error: unknown): Failure {
  if (error instanceof ServeError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: 'The server failed to make the change.' };
}

export const fromFailure = ({ code, message }: Failure): ServeError =>
  new ServeError(code, message);
