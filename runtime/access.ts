/** @module Authenticates the sender of a request. Every protocol calls it (.github/decisions/0025). */

import type { ServeError } from './errors.ts';

/** The caller of a request, as its credentials say. */
export interface Principal {
  /** Identifies the caller; undefined for an anonymous one. */
  readonly subject: string | undefined;
  /** The claim `tenant`: callers of one tenant share cached responses. */
  readonly tenant?: string | undefined;
  /** The id of the API key, if the caller has sent one. */
  readonly keyId?: string | undefined;
  /** The claims of the caller's token by name; undefined if there is no token. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** Reads a header of a request for authentication; null if the request has no such header. */
export interface HeaderReader {
  get(name: string): string | null;
}

export interface Access {
  /**
   * The caller, or the reason why the request is refused. Synchronous, because every request passes it before its
   * body is read; being refused is a normal outcome, so it is returned and not thrown.
   */
  authenticate(headers: HeaderReader): Principal | ServeError;
}

const anonymous: Principal = { subject: undefined };

/** Accepts every caller, because there are no credentials to check. */
export const openAccess: Access = { authenticate: () => anonymous };
