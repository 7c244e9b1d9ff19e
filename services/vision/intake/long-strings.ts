/**
 * Cuts long strings out of the bytes of JSON, so that the parser, which blocks the thread, sees only the short rest. A string of
 * base64 is looked through for its quote by the host's search, which takes a millisecond for some megabytes.
 *
 * @module
 */

import { invalidArgument, ServeError, ShortTurns } from '../../../runtime/index.ts';
import { indexOfByte, LOOK_MS } from './byte-search.ts';

/** Strings of more bytes are cut out. */
const LONG_BYTES = 4096;
/** Most bytes of the JSON without its long strings. */
const MAX_REST_BYTES = 512 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** After so many strings, or quotes within one, the time of the turn is looked at. */
const QUOTES_PER_TURN = 2048;
/** What stands for a long string. No other string begins with it, because clients do not know it. */
const MARK = `cut ${crypto.randomUUID()} `;

/** JSON whose long strings are somewhere else. */
export interface CutJson {
  /** JSON with a mark for each long string. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** The long strings without their quotes, as they are written: with escapes. */
  readonly strings: readonly Uint8Array<ArrayBuffer>[];
}

/** @throws {ServeError} `PAYLOAD_TOO_LARGE` if too much is left; `INVALID_JSON` if a string has no end */
export async function cutLongStrings(body: Uint8Array<ArrayBuffer>): Promise<CutJson> {
  const turns = new ShortTurns(LOOK_MS);
  const strings: Uint8Array<ArrayBuffer>[] = [];
  const pieces: Uint8Array[] = [];
  let kept = 0;
  let restBytes = 0;
  const keep = (end: number) => {
    pieces.push(body.subarray(kept, end));
    restBytes += end - kept;
    if (restBytes > MAX_REST_BYTES) throw tooMuch();
  };
  let count = 0;
  let start = await indexOfByte(body, QUOTE, 0, turns);
  while (start >= 0) {
    const end = await endOfString(body, start + 1, turns);
    if (end < 0)
      throw new ServeError('INVALID_JSON', 'The body is not valid JSON: a string has no end.');
    if (end - start > LONG_BYTES) {
      keep(start + 1);
      pieces.push(new TextEncoder().encode(`${MARK}${strings.length}`));
      strings.push(body.subarray(start + 1, end));
      kept = end;
    }
    if (end - kept > MAX_REST_BYTES) throw tooMuch();
    start = await indexOfByte(body, QUOTE, end + 1, turns);
    count += 1;
    if (count % QUOTES_PER_TURN === 0) await turns.pause();
  }
  keep(body.length);
  return { rest: joined(pieces), strings };
}

/** The index of the long string for which a string stands; undefined if it stands for itself. */
export function cutIndex(text: string): number | undefined {
  return text.startsWith(MARK) ? Number(text.slice(MARK.length)) : undefined;
}

/** @throws {ServeError} `INVALID_ARGUMENT` if a value has a mark, which means that its string is too long */
export function refuseMarks(value: unknown): void {
  if (typeof value === 'string' && cutIndex(value) !== undefined) {
    const message = `A string of the body that is no image has more than ${LONG_BYTES} bytes; send it shorter.`;
    throw invalidArgument(message);
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    refuseMarks(name);
    refuseMarks(each);
  }
}

/** The place of the quote that ends a string, or -1. */
async function endOfString(body: Uint8Array, from: number, turns: ShortTurns): Promise<number> {
  let at = await indexOfByte(body, QUOTE, from, turns);
  for (let quotes = 1; at >= 0; quotes += 1) {
    let first = at;
    while (first > from && body[first - 1] === BACKSLASH) first -= 1;
    if ((at - first) % 2 === 0) return at;
    if (quotes % QUOTES_PER_TURN === 0) await turns.pause();
    const next = indexOfByte(body, QUOTE, at + 1, turns);
    at = typeof next === 'number' ? next : await next;
  }
  return -1;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const tooMuch = () =>
  new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The body has more than ${MAX_REST_BYTES} bytes beside its images; send less.`,
  );
