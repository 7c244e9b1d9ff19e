/** @module Checks of the numbers among the options of a load. Without a value they return `fallback`. */

import { MillraceError } from './errors.ts';

/** @throws {MillraceError} `INVALID_ARGUMENT` if the option is not a number from `min` to `max`. */
export function real(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
) {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `${name} is ${value}: expected a number from ${min} to ${max}`,
  );
}

/** @throws {MillraceError} `INVALID_ARGUMENT` if the option is not a whole number from `min` to `max`. */
export function whole(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
) {
  const number = real(name, value, fallback, min, max);
  if (Number.isInteger(number)) return number;
  throw new MillraceError('INVALID_ARGUMENT', `${name} is ${value}: expected a whole number`);
}
