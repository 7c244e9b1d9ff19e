/** @module What the headers of a changing call say: who makes it, how often, and on which revision. */

import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import {
  type Author,
  type Expected,
  invalidArgument,
  type OnceKey,
  type Runtime,
  ServeError,
} from '../../runtime/index.ts';
import { readFlag } from './query.ts';

/** The author of a change, and the revision that it expects. */
export interface Change extends Author {
  readonly expected: Expected;
}

/**
 * @param body The text of the body, because a repeated `Idempotency-Key` must come with the same one.
 * @throws {ServeError} `REVISION_REQUIRED` if `?strict` is given without `If-Match` or `If-None-Match`;
 * `INVALID_ARGUMENT` for a header that has another form
 */
export function readChange(runtime: Runtime, c: Context, body = ''): Change {
  const expected = readExpected(c);
  if (expected === undefined && readFlag(c, 'strict')) {
    throw new ServeError(
      'REVISION_REQUIRED',
      'With ?strict a change needs If-Match with the ETag of what it changes, or If-None-Match: * for something new.',
    );
  }
  const who = callerOf(runtime, c);
  return { who, expected, once: readOnce(c, who, body) };
}

/** The name of the caller in the audit log. */
export function callerOf({ access }: Runtime, c: Context): string {
  const principal = access.authenticate(c.req.raw.headers);
  if (principal instanceof ServeError) throw principal;
  return principal.subject ?? 'anonymous';
}

/** The `ETag` of a revision. */
export const etag = (revision: number): string => `"${revision}"`;

const ETAGS = /^\s*(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*\s*$/;

function readExpected(c: Context): Expected {
  const match = c.req.header('if-match')?.trim();
  const noneMatch = c.req.header('if-none-match')?.trim();
  if (noneMatch !== undefined) {
    if (noneMatch === '*' && match === undefined) return 'none';
    throw invalidArgument(
      'A change takes If-None-Match only as *, and not together with If-Match.',
    );
  }
  if (match === undefined) return undefined;
  if (match === '*') return 'any';
  if (!ETAGS.test(match)) {
    throw invalidArgument('If-Match must be the ETag of an earlier response, such as "12".');
  }
  // Tags that are weak or are no numbers are not ours, and match nothing.
  return [...match.matchAll(/(?<!W\/)"(\d{1,15})"/g)].map(([, revision]) => Number(revision));
}

const KEY = /^[\x21-\x7e]{1,255}$/;

function readOnce(c: Context, owner: string, body: string): OnceKey | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return undefined;
  if (!KEY.test(key)) {
    throw invalidArgument('Idempotency-Key must be 1 to 255 visible ASCII characters.');
  }
  const { pathname, search } = new URL(c.req.url);
  const request = createHash('sha256').update(`${c.req.method} ${pathname}${search}\n${body}`);
  return { owner, key, request: request.digest('hex') };
}
