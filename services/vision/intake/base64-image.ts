/** @module Decodes images that are strings of JSON: data URLs, or base64 alone. */

import {
  type BodyShare,
  invalidArgument,
  MAX_IMAGE_BYTES,
  ShortTurns,
  tooManyImageBytes,
} from '../../../runtime/index.ts';
import { asciiText, indexOfByte, LOOK_MS } from './byte-search.ts';
import { isUrl, looksLikeUrl } from './limits.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const PAD = 0x3d;
/** After so many escapes the time of the turn is looked at. */
const ESCAPES_PER_TURN = 2048;
/** Parts of at most so many bytes are moved one by one, because they are frequent and calls of the host are slow. */
const SHORT_BYTES = 64;
/** Where the comma of a data URL is at most. */
const MAX_PREFIX = 256;

/** Decodes base64 on another thread, as `Images.decodeBase64`. */
export type DecodeBase64 = (text: Uint8Array) => Promise<Bytes | undefined>;

/**
 * @param written The string as JSON has it, with escapes. Its memory may be changed.
 * @param place Where it stands, for messages: `image`, `images[3]`.
 * @throws {ServeError} `INVALID_ARGUMENT`, `IMAGE_TOO_LARGE`; `OVERLOADED` if the byte budget is used up
 */
export async function imageOfText(
  written: Bytes,
  place: string,
  share: BodyShare,
  decode: DecodeBase64,
): Promise<Bytes> {
  const text = await withoutEscapes(written, place);
  const base64 = afterPrefix(text, place);
  if (base64.length === 0) throw invalidArgument(`${place} is empty.`);
  const characters = withoutPadding(base64);
  if (characters % 4 === 1) throw notBase64(place);
  const bytes = Math.floor((characters * 3) / 4);
  if (bytes > MAX_IMAGE_BYTES) throw tooManyImageBytes(place);
  share.take(bytes);
  const image = await share.during(base64.buffer, decode(base64));
  if (image === undefined) throw notBase64(place);
  return image;
}

/** Some writers of JSON put a backslash before each slash. Other escapes are of characters that base64 lacks. */
async function withoutEscapes(written: Bytes, place: string): Promise<Bytes> {
  const turns = new ShortTurns(LOOK_MS);
  let from = await indexOfByte(written, BACKSLASH, 0, turns);
  if (from < 0) return written;
  let to = from;
  for (let escapes = 1; from >= 0; escapes += 1) {
    if (written[from + 1] !== SLASH) throw notBase64(place);
    const found = indexOfByte(written, BACKSLASH, from + 2, turns);
    const next = typeof found === 'number' ? found : await found;
    const end = next < 0 ? written.length : next;
    to = moveDown(written, to, from + 1, end);
    from = next;
    if (escapes % ESCAPES_PER_TURN === 0) await turns.pause();
  }
  return written.subarray(0, to);
}

/** Moves a part of the bytes to a lower place, and returns where it ends. */
function moveDown(bytes: Bytes, to: number, start: number, end: number): number {
  const length = end - start;
  if (length > SHORT_BYTES) bytes.copyWithin(to, start, end);
  else for (let i = 0; i < length; i += 1) bytes[to + i] = bytes[start + i]!;
  return to + length;
}

/** What follows the comma of a data URL, or the whole text if it is none. */
function afterPrefix(text: Bytes, place: string): Bytes {
  const start = asciiText(text.subarray(0, MAX_PREFIX));
  if (!/^data:/i.test(start)) {
    if (looksLikeUrl(start)) throw isUrl(place);
    return text;
  }
  const comma = start.indexOf(',');
  if (comma >= 0 && /;base64$/i.test(start.slice(0, comma).trimEnd()))
    return text.subarray(comma + 1);
  throw invalidArgument(
    `${place} is a data URL without base64; write it as data:image/jpeg;base64,… or send the base64 alone.`,
  );
}

function withoutPadding(base64: Bytes): number {
  let { length } = base64;
  while (length > 0 && base64.length - length < 2 && base64[length - 1] === PAD) length -= 1;
  return length;
}

const notBase64 = (place: string) =>
  invalidArgument(`${place} is not base64; encode the bytes of the file, without line breaks.`);
