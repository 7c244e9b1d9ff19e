/** @module Values of options that several commands have, for commander. */

import { InvalidArgumentError } from 'commander';

/** Parses a JSON object. @throws {InvalidArgumentError} */
export function toObject(given: string): object {
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The message below says what was expected.
  }
  throw new InvalidArgumentError('Write a JSON object.');
}

/** Parses a whole number above 0. @throws {InvalidArgumentError} */
export function toWhole(given: string): number {
  const number = Number(given);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Write a whole number greater than 0.');
}
