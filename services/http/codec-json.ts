/** @module JSON in: checked for depth before it is parsed, because the parser itself accepts any depth. */

import { ServeError } from '../../runtime/index.ts';
import { notJson, type ReadBody, readText } from './body.ts';

/** Deepest nesting of lists and objects, as in Triton. */
const MAX_DEPTH = 100;

/** A text of so many characters cannot close what it opens past the limit. */
const SHALLOW = 2 * MAX_DEPTH;

/** Reads a body as JSON. What is too short to be too deep the host parses without making a text of it. */
export const readJson: ReadBody<unknown> = (request, announced, limit) =>
  announced !== undefined && announced > 0 && announced <= SHALLOW
    ? request.json()
    : readText(request, announced, limit).then(parseJson);

/** Likewise, with integers past 2^53 as bigints, which keep all their digits. */
export const readExactJson: ReadBody<unknown> = (request, announced, limit) =>
  readText(request, announced, limit).then((text) => parseJson(text, exactInteger));

/** @throws {ServeError} `INVALID_JSON` with what is wrong with the text. */
export function parseJson(text: string, reviver?: Reviver): unknown {
  if (text.length > SHALLOW && opensMany(text) && isTooDeep(text)) {
    throw new ServeError('INVALID_JSON', `The body is nested deeper than ${MAX_DEPTH} levels.`);
  }
  try {
    return reviver === undefined || !WIDE_INTEGER.test(text)
      ? JSON.parse(text)
      : JSON.parse(text, reviver);
  } catch {
    if (text.trim() !== '') throw notJson();
    throw new ServeError('INVALID_JSON', 'The body is empty, expected a JSON object.');
  }
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** An integer of so many digits may be more than a double holds. */
const WIDE_INTEGER = /(?<![.\d])\d{16,}(?![.\deE])/;

const exactInteger: Reviver = (_key, value, { source }) =>
  typeof value === 'number' &&
  source !== undefined &&
  Number.isInteger(value) &&
  !Number.isSafeInteger(value) &&
  /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;

/** Whether a text holds so many brackets that it may be too deep. Most do not, and are not walked through. */
function opensMany(text: string): boolean {
  let left = MAX_DEPTH;
  for (const bracket of ['[', '{']) {
    for (let i = text.indexOf(bracket); i !== -1; i = text.indexOf(bracket, i + 1)) {
      left -= 1;
      if (left < 0) return true;
    }
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth -= 1;
    } else if (code === QUOTE) {
      i = endOfString(text, i + 1);
    }
  }
  return false;
}

/** Index of the quote that ends the string whose first character is at `start`, or the text's end. */
function endOfString(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    i += code === BACKSLASH ? 2 : 1;
  }
  return i;
}
