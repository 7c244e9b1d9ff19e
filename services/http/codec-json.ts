/**
 * JSON in: checked for depth and number of values before it is parsed, because the parser itself accepts
 * any, and holds the thread meanwhile.
 *
 * @module
 */

import { ServeError } from '../../runtime/index.ts';
import { isPacked, notJson, type ReadBody, readText } from './body.ts';

/** A refusal where a body is not announced as JSON. */
export function notJsonType(contentType: string | null): ServeError | undefined {
  if (contentType === 'application/json') return undefined;
  if (contentType !== null && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
    return undefined;
  }
  return new ServeError(
    'UNSUPPORTED_MEDIA_TYPE',
    'The body must be JSON; send it with Content-Type: application/json.',
  );
}

/** Deepest nesting of lists and objects, as in Triton. */
const MAX_DEPTH = 100;

/** Most bytes of a body that is parsed here: more holds the thread for too long, whatever it says. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;

/**
 * Most work of a body: a value counts 1, a list or an object 3 and a member's name 30, which is how long they
 * take beside each other. A body of so much work is parsed in some 20 ms.
 */
const MAX_WORK = 600_000;
const LIST_WORK = 3;
const MEMBER_WORK = 30;
/** Parsing takes so many times as long where each value is looked at again. */
const REVIVER_WORK = 4;

/** A text of so many characters cannot close what it opens past the limit. */
const SHALLOW = 2 * MAX_DEPTH;

/** Reads a body as JSON. What is too short to be too deep the host parses without making a text of it. */
export const readJson: ReadBody<unknown> = (source, announced, limit) =>
  announced !== undefined && announced > 0 && announced <= SHALLOW && !isPacked(source.request)
    ? source.request.json()
    : readText(source, announced, limit).then((text) => parseJson(text));

/** Likewise, with integers past 2^53 as bigints, which keep all their digits. */
export const readExactJson: ReadBody<unknown> = (source, announced, limit) =>
  readText(source, announced, limit).then((text) => parseJson(text, exactInteger));

/** @throws {ServeError} `INVALID_JSON` with what is wrong with the text. */
export function parseJson(text: string, reviver?: Reviver): unknown {
  const used = reviver !== undefined && WIDE_INTEGER.test(text) ? reviver : undefined;
  const most = used === undefined ? MAX_WORK : MAX_WORK / REVIVER_WORK;
  if (text.length > SHALLOW && mayBeTooMuch(text, most)) refuseTooMuch(text, most);
  try {
    return used === undefined ? JSON.parse(text) : JSON.parse(text, used);
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

/** Whether a text may be too deep or hold too much. Most cannot, and are not walked through. */
function mayBeTooMuch(text: string, mostWork: number): boolean {
  return (
    hasMoreThan(MAX_DEPTH, '[{', text) ||
    hasMoreThan(mostWork, ',', text) ||
    hasMoreThan(mostWork / MEMBER_WORK / 2, ':', text)
  );
}

/** Whether any of the characters comes more often than that, all of them together. */
function hasMoreThan(most: number, characters: string, text: string): boolean {
  if (text.length <= most) return false;
  let left = most;
  for (const character of characters) {
    for (let i = text.indexOf(character); i !== -1; i = text.indexOf(character, i + 1)) {
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
const COMMA = 0x2c;
const COLON = 0x3a;

/** @throws {ServeError} */
function refuseTooMuch(text: string, mostWork: number): void {
  let depth = 0;
  let work = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      work += LIST_WORK;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth -= 1;
    } else if (code === QUOTE) {
      i = endOfString(text, i + 1);
    } else if (code === COMMA) {
      work += 1;
    } else if (code === COLON) {
      work += MEMBER_WORK;
    }
    if (depth > MAX_DEPTH) {
      throw new ServeError('INVALID_JSON', `The body is nested deeper than ${MAX_DEPTH} levels.`);
    }
    if (work > mostWork) {
      throw new ServeError(
        'INVALID_ARGUMENT',
        'The body holds more values than are parsed at once; send fewer, or send tensors to the infer route of /v2.',
      );
    }
  }
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
