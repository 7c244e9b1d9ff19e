/** @module The query of a request: flags, and the pages of lists. */

import type { Context } from 'hono';
import { invalidArgument } from '../../runtime/index.ts';

/**
 * Whether a flag such as `?strict` or `?strict=true` is given.
 *
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function readFlag(c: Context, name: string): boolean {
  const value = c.req.query(name);
  if (value === undefined || value === 'false') return false;
  if (value === '' || value === 'true') return true;
  throw invalidArgument(`?${name} must be true or false.`);
}

/** The values by which a list is sorted, of one of its items. */
export type PageKey = readonly (string | number)[];

/** The part of a list that a request asks for. */
export interface PageRequest<Key extends PageKey> {
  /** Maximum items. */
  readonly limit: number;
  /** The key of the item before the first one; undefined at the start of the list. */
  readonly after: Key | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The `cursor` of the next page; null after the last item. */
  readonly next: string | null;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/**
 * Reads `?limit=` and `?cursor=`.
 *
 * @param isKey Whether a value that a client may have made up has the form of a key of this list.
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function readPage<Key extends PageKey>(
  c: Context,
  isKey: (value: unknown) => value is Key,
): PageRequest<Key> {
  const { limit = String(DEFAULT_LIMIT), cursor } = c.req.query();
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_LIMIT) {
    throw invalidArgument(`?limit must be a whole number from 1 to ${MAX_LIMIT}.`);
  }
  if (cursor === undefined) return { limit: Number(limit), after: undefined };
  const key = decode(cursor);
  if (!isKey(key)) {
    throw invalidArgument('?cursor must be the `next` of an earlier page of the same list.');
  }
  return { limit: Number(limit), after: key };
}

/** Makes a page of up to `limit + 1` items, of which the last only tells that there are more. */
export function toPage<Item>(
  items: readonly Item[],
  limit: number,
  keyOf: (item: Item) => PageKey,
): Page<Item> {
  const shown = items.slice(0, limit);
  const more = items.length > limit;
  return { items: shown, next: more ? encode(keyOf(shown.at(-1)!)) : null };
}

/** Whether a key is one text, such as a name. NUL is refused, because the database cannot compare with it. */
export const isTextKey = (value: unknown): value is readonly [string] =>
  Array.isArray(value) &&
  value.length === 1 &&
  typeof value[0] === 'string' &&
  !value[0].includes('\0');

/** Whether a key is one whole number. */
export const isNumberKey = (value: unknown): value is readonly [number] =>
  Array.isArray(value) && value.length === 1 && Number.isSafeInteger(value[0]);

const encode = (key: PageKey): string => Buffer.from(JSON.stringify(key)).toString('base64url');

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
