/** @module Finds the key of a sticky split in a request. */

import type { HeaderReader, Principal } from '../access.ts';
import type { Sticky } from './route.ts';

/** The sender of a request, as far as a key can be about it. */
export interface Sender {
  readonly headers?: HeaderReader | undefined;
  readonly principal?: Principal | undefined;
}

/**
 * Returns the key of a request, or undefined if it has none.
 *
 * @param body Returns the JSON of the body, or undefined if it is not JSON.
 */
export type ReadKey = (sender: Sender, body: () => unknown) => string | undefined;

export function keyReader(sticky: Sticky): ReadKey {
  if ('header' in sticky) {
    const { header } = sticky;
    return ({ headers }) => toKey(headers?.get(header));
  }
  if ('claim' in sticky) {
    const { claim } = sticky;
    return ({ principal }) => toKey(claimOf(principal, claim));
  }
  const path = parsePointer(sticky.field);
  return (_, body) => toKey(valueAt(body(), path));
}

/** The member of the body that a key lies in; undefined if keys do not come from the body. */
export const memberOf = (sticky: Sticky | undefined): string | undefined =>
  sticky !== undefined && 'field' in sticky ? parsePointer(sticky.field)[0] : undefined;

/** Only a value that people write as one word or number identifies a subject; an empty one identifies nobody. */
function toKey(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value === '' ? undefined : value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return undefined;
  }
}

const claimOf = (principal: Principal | undefined, claim: string): unknown =>
  claim === 'sub' ? principal?.subject : principal?.claims?.[claim];

/** The reference tokens of a JSON pointer, RFC 6901. */
const parsePointer = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));

function valueAt(json: unknown, path: readonly string[]): unknown {
  let value = json;
  for (const token of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token))
      return undefined;
    value = (value as Record<string, unknown>)[token];
  }
  return value;
}
