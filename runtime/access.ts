/** @module Authenticates the sender of a request. Every protocol calls it (.github/decisions/0025). */

import type { ServeError } from './errors.ts';

/** The caller of a request, as its credentials say. */
export interface Principal {
  /** Identifies the caller; undefined for an anonymous one. */
  readonly subject: string | undefined;
}

/** What authentication reads of a request: a header's value, or null where it has none. */
export interface HeaderReader {
  get(name: string): string | null;
}

export interface Access {
  /**
   * The caller, or why the request is refused. Synchronous, because every request passes it before its
   * body is read; being refused is a normal outcome, so it is returned and not thrown.
   */
  authenticate(headers: HeaderReader): Principal | ServeError;
}

const anonymous: Principal = { subject: undefined };

/** Takes every caller: there are no credentials to check. */
export const openAccess: Access = { authenticate: () => anonymous };
