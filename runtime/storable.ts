/** @module Checks that JSON can be stored: the database refuses some texts that JSON may hold. */

import { invalidArgument } from './errors.ts';

/**
 * Refuses what the database cannot store as JSON.
 *
 * @param name Names the value at the start of the message.
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function checkStorable(name: string, value: unknown): void {
  if (typeof value === 'string' && /[\0\p{Cs}]/u.test(value)) {
    throw invalidArgument(`${name} has a text with a NUL or half a surrogate pair in it.`);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw invalidArgument(`${name} has a number that is too large.`);
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    checkStorable(name, key);
    checkStorable(name, member);
  }
}
