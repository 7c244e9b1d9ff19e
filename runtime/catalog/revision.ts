/** @module Optimistic locking: what a change expects to find. */

import { ServeError } from '../errors.ts';

/**
 * The revision that a change expects of the thing that it changes: one of a list, `any` if it only must exist, `none` if it
 * must not exist yet; undefined expects nothing.
 */
export type Expected = readonly number[] | 'any' | 'none' | undefined;

/**
 * Must be called in the transaction of the change, after the row was locked.
 *
 * @param present The revision of the thing; undefined if it does not exist.
 * @param what The thing, such as `label 'stable'`.
 * @throws {ServeError} `STALE_REVISION`
 */
export function checkRevision(expected: Expected, present: number | undefined, what: string): void {
  if (expected === undefined) return;
  if (expected === 'none') {
    if (present === undefined) return;
    throw stale(`The ${what} exists already, and If-None-Match expects that it does not.`);
  }
  if (present === undefined) {
    throw stale(`The ${what} does not exist, and If-Match expects that it does.`);
  }
  if (expected === 'any' || expected.includes(present)) return;
  throw stale(
    `The ${what} has been changed since it was read: its revision is ${present} and If-Match has another; read it again.`,
  );
}

const stale = (message: string) => new ServeError('STALE_REVISION', message);
