/**
 * Parses JSON bodies. Depth and number of values are checked first, because the parser has no limits and
 * blocks the thread.
 *
 * @module
 */

import { invalidArgument, quote, ServeError } from '../../runtime/index.ts';
import { type ReadBody, readText, readUtf8 } from './body.ts';
import { jsonFault, repeatedMember } from './json-fault.ts';

/** The refusal if the `Content-Type` is not JSON. */
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

/** Maximum nesting of lists and objects, as in Triton. */
const MAX_DEPTH = 100;

/** Maximum bytes of a body that is parsed on the HTTP thread: more would block it for too long. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;

/**
 * Maximum work of parsing a body; the unit is the time of one value. A list or an object takes as long as 3 values,
 * and a member's name as long as 30. Parsing a body of this much work takes about 20 ms.
 */
const MAX_WORK = 600_000;
const LIST_WORK = 3;
const MEMBER_WORK = 30;
/** Parsing with a reviver, which visits each value again, takes this many times as long. */
const REVIVER_WORK = 4;

/** JSON of at most this many characters cannot exceed `MAX_DEPTH`. */
const SHALLOW = 2 * MAX_DEPTH;

export const readJson: ReadBody<unknown> = (source, announced, limit) =>
  readText(source, announced, limit).then((text) => parseJson(text));

/**
 * Reads a body as JSON whose texts matter: bytes that are not UTF-8 are refused instead of replaced, and members that an object
 * has twice instead of taking the last.
 */
export const readTextJson: ReadBody<unknown> = (source, announced, limit) =>
  readUtf8(source, announced, limit).then(parseTextJson);

/** Parses JSON as `parseJson`, and refuses members that an object has twice. @throws {ServeError} */
export const parseTextJson = (text: string): unknown => withoutRepeats(text, parseJson(text));

/** Reads a body as JSON, with integers beyond 2^53 as bigints, which are exact, and refuses members that an object has twice. */
export const readExactJson: ReadBody<unknown> = (source, announced, limit) =>
  readText(source, announced, limit).then((text) => withoutRepeats(text, parseExactJson(text)));

/** @throws {ServeError} `INVALID_ARGUMENT` */
function withoutRepeats(text: string, parsed: unknown): unknown {
  const name = repeatedMember(text);
  if (name === undefined) return parsed;
  throw invalidArgument(`An object of the body has the member ${quote(name)} twice; send it once.`);
}

/**
 * Parses JSON within the limits on depth and work.
 *
 * @param reviver As in `JSON.parse`. It is called only if the text may contain an integer beyond 2^53.
 * @throws {ServeError} `INVALID_JSON`, or `INVALID_ARGUMENT` if there are too many values
 */
export function parseJson(text: string, reviver?: Reviver): unknown {
  const used = reviver !== undefined && WIDE_INTEGER.test(text) ? reviver : undefined;
  const most = used === undefined ? MAX_WORK : MAX_WORK / REVIVER_WORK;
  if (text.length > SHALLOW && mayBeTooMuch(text, most)) refuseTooMuch(text, most);
  try {
    return used === undefined ? JSON.parse(text) : JSON.parse(text, used);
  } catch {
    if (text.trim() !== '') throw notJson(text);
    throw new ServeError('INVALID_JSON', 'The body is empty, expected a JSON object.');
  }
}

function notJson(text: string): ServeError {
  const fault = jsonFault(text);
  const reason = fault === undefined ? '' : `: ${fault}`;
  return new ServeError('INVALID_JSON', `The body is not valid JSON${reason}.`);
}

/** As `parseJson`, with integers beyond 2^53 as bigints, which are exact. */
export const parseExactJson = (text: string): unknown => parseJson(text, exactInteger);

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** An integer of 16 or more digits may exceed 2^53. */
const WIDE_INTEGER = /(?<![.\d])\d{16,}(?![.\deE])/;

const exactInteger: Reviver = (_key, value, { source }) =>
  typeof value === 'number' &&
  source !== undefined &&
  Number.isInteger(value) &&
  !Number.isSafeInteger(value) &&
  /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;

/** A quick check whether a text may exceed a limit. Most texts cannot, and are not scanned further. */
function mayBeTooMuch(text: string, mostWork: number): boolean {
  // Each comma is a character. Counting the commas of a long text would take longer than the whole scan.
  return (
    text.length > mostWork ||
    hasMoreThan(MAX_DEPTH, '[{', text) ||
    hasMoreThan(mostWork / MEMBER_WORK / 2, ':', text)
  );
}

/** Whether the characters occur more than `most` times in total. */
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

/** @throws {ServeError} if a text exceeds a limit */
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
        'The body has more values than are parsed at once; send fewer, or send tensors to the infer route of /v2.',
      );
    }
  }
}

/** Index of the quote that ends the string whose first character is at `start`; the text's length if there is none. */
function endOfString(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    i += code === BACKSLASH ? 2 : 1;
  }
  return i;
}
