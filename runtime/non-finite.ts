/**
 * Floats that JSON has no number for, in responses of plain JSON. See
 * .github/decisions/0018-a-request-chooses-how-nan-is-written.md.
 *
 * @module
 */

import { ServeError } from './errors.ts';

declare global {
  /** ECMAScript's "JSON.parse source text access", which the compiler's library does not describe yet. */
  interface JSON {
    rawJSON(text: string): RawJson;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** JSON text that `JSON.stringify` writes as it is, such as a number with more digits than a double has. */
export interface RawJson {
  readonly rawJSON: string;
}

/** An element as `JSON.stringify` writes it. */
export type JsonElement = number | string | boolean | null | RawJson;

const NON_FINITE = ['string', 'null', 'literal'] as const;

/**
 * How NaN and the infinities are written: as the strings "NaN", "Infinity" and "-Infinity", as `null`, or as
 * these words without quotes, which is not JSON.
 */
export type NonFinite = (typeof NON_FINITE)[number];

/**
 * Parses the `non_finite` of a request.
 *
 * @param defaultValue The result if the request does not set it.
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function toNonFinite(value: unknown, defaultValue: NonFinite): NonFinite {
  if (value === undefined) return defaultValue;
  const found = NON_FINITE.find((name) => name === value);
  if (found !== undefined) return found;
  throw new ServeError(
    'INVALID_ARGUMENT',
    'non_finite must be "string", "null" or "literal": how NaN and Infinity are written in the response.',
  );
}

/** A float as `stringify` takes it. Only `stringify` can write a `literal`. */
export function jsonFloat(value: number, nonFinite: NonFinite): JsonElement {
  if (Number.isFinite(value)) return value;
  if (nonFinite === 'null') return null;
  return nonFinite === 'string' ? String(value) : JSON.rawJSON(placeholder(value));
}

/** `JSON.stringify`, which also writes NaN and the infinities as words if `nonFinite` is `literal`. */
export function stringify(value: object, nonFinite: NonFinite): string {
  const text = JSON.stringify(value);
  if (nonFinite !== 'literal') return text;
  let inString = false;
  return text.replace(QUOTE_OR_PLACEHOLDER, (found) => {
    if (found === '"') inString = !inString;
    return inString ? found : (WORDS[found] ?? found);
  });
}

/**
 * `JSON.stringify` refuses to write the words, so placeholders take their place: numbers that no double can be,
 * because they are too large.
 */
const WORDS: Readonly<Record<string, string>> = {
  '0e999': 'NaN',
  '1e999': 'Infinity',
  '-1e999': '-Infinity',
};

const placeholder = (value: number): string =>
  Number.isNaN(value) ? '0e999' : value > 0 ? '1e999' : '-1e999';

/** An escape sequence is matched too, so that the quote in one does not end its string. */
const QUOTE_OR_PLACEHOLDER = /\\.|"|-?[01]e999/g;
