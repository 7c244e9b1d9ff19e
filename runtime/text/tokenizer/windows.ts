/** @module Divides the tokens of a text, or of a pair of texts, into windows. */

import { ServeError } from '../../errors.ts';
import { countSpecial, onlyTexts, type Part, type SpecialTokens } from './special-tokens.ts';
import type { EncodedText, EncodeOptions, TokenWindow } from './tokenizer.ts';

/** Tokens that neighbouring windows share if the request does not say. */
const DEFAULT_STRIDE = 128;

/** The tokens of one text. */
export interface Sequence {
  readonly ids: Int32Array;
  /** Start and end of each token. */
  readonly offsets: Uint32Array | undefined;
}

/** A part of the tokens of a text: from one index to before another. */
type Slice = readonly [from: number, to: number];

/** What becomes of a text or a pair: the slices of its texts that each window has. */
interface Division {
  readonly slices: readonly (readonly Slice[])[];
  readonly truncated: boolean;
}

/** What is known about the tokenizer. */
export interface WindowFacts {
  readonly specialTokens: SpecialTokens;
  readonly truncationSide: 'left' | 'right';
}

/**
 * The windows of a text.
 *
 * @param prefixLength How many tokens at the beginning are those of the prefix.
 * @throws {ServeError} `INVALID_ARGUMENT` if the prefix leaves no room for the text.
 */
export function textWindows(
  text: Sequence,
  prefixLength: number,
  facts: WindowFacts,
  options: EncodeOptions,
): EncodedText {
  const parts = partsOf(facts.specialTokens.single, options);
  const room = roomOf(parts, options);
  const { length } = text.ids;
  const { slices, truncated } = divideText(length, prefixLength, room, facts, options);
  const windows = slices.map((each) => {
    // The prefix is a slice of its own in front of all windows but the first.
    const joined = each.length === 1 ? text : joinSlices(text, each);
    const [from, to] = each.length === 1 ? each[0]! : [0, joined.ids.length];
    return makeWindow(parts, { first: [joined, [from, to]] });
  });
  return { windows, length, prefixLength, truncated };
}

/**
 * The windows of a pair of texts.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` if the text that must not be cut leaves no room for the other.
 */
export function pairWindows(
  first: Sequence,
  second: Sequence,
  facts: WindowFacts,
  options: EncodeOptions,
): EncodedText {
  const parts = partsOf(facts.specialTokens.pair, options);
  const room = roomOf(parts, options);
  const lengths = [first.ids.length, second.ids.length] as const;
  const { slices, truncated } = dividePair(lengths, room, facts, options);
  const windows = slices.map(([one, other]) =>
    makeWindow(parts, { first: [first, one!], second: [second, other!] }),
  );
  return { windows, length: lengths[0] + lengths[1], prefixLength: 0, truncated };
}

const partsOf = (parts: readonly Part[], { addSpecialTokens = true }: EncodeOptions) =>
  addSpecialTokens ? parts : onlyTexts(parts);

/** Tokens of texts that a window holds. */
const roomOf = (parts: readonly Part[], { window = Number.POSITIVE_INFINITY }: EncodeOptions) =>
  window - countSpecial(parts);

function divideText(
  length: number,
  prefixLength: number,
  room: number,
  { truncationSide }: WindowFacts,
  { overflow = 'windows', stride = DEFAULT_STRIDE }: EncodeOptions,
): Division {
  if (length <= room) return { slices: [[[0, length]]], truncated: false };
  if (room < 1) throw tooShort();
  if (overflow === 'cut') return { slices: [[cut(length, room, truncationSide)]], truncated: true };
  if (prefixLength === 0) {
    return { slices: overlapping(0, length, room, stride).map((each) => [each]), truncated: false };
  }
  if (prefixLength >= room) throw tooShort();
  const prefix: Slice = [0, prefixLength];
  const slices = overlapping(prefixLength, length, room - prefixLength, stride);
  return { slices: slices.map((each) => [prefix, each]), truncated: false };
}

function dividePair(
  [first, second]: readonly [number, number],
  room: number,
  { truncationSide }: WindowFacts,
  { overflow = 'windows', pairs = 'only_second', stride = DEFAULT_STRIDE }: EncodeOptions,
): Division {
  const whole: readonly Slice[] = [
    [0, first],
    [0, second],
  ];
  if (first + second <= room) return { slices: [whole], truncated: false };
  const isFirst = pairs === 'only_first';
  const [divided, other] = isFirst ? [first, second] : [second, first];
  const ordered = (one: Slice, kept: Slice) => (isFirst ? [one, kept] : [kept, one]);
  if (overflow === 'cut') {
    if (pairs !== 'longest_first' && room - other < 1) throw tooShort();
    const [most, mostOther] =
      pairs === 'longest_first' ? longestFirst(divided, other, room) : [room - other, other];
    const one = cut(divided, most, truncationSide);
    return { slices: [ordered(one, cut(other, mostOther, truncationSide))], truncated: true };
  }
  if (room < 2) throw tooShort();
  // At least half of a window is for the text that is divided, unless it needs less.
  const kept = Math.min(other, Math.max(room >> 1, room - divided));
  const slices = overlapping(0, divided, room - kept, stride);
  const keptSlice = cut(other, kept, truncationSide);
  return { slices: slices.map((each) => ordered(each, keptSlice)), truncated: kept < other };
}

/** The lengths of two texts that have to be shortened, as `tokenizers` chooses them. */
function longestFirst(one: number, other: number, room: number): readonly [number, number] {
  const short = Math.min(one, other);
  const long = Math.max(short, room - short);
  // Half a window each, and an odd token for the longer one, or for the second of two equally long ones, which is `one`.
  const [less, more] = short + long > room ? [room >> 1, room - (room >> 1)] : [short, long];
  return one >= other ? [more, less] : [less, more];
}

const cut = (length: number, most: number, side: 'left' | 'right'): Slice =>
  side === 'right' ? [0, Math.min(length, most)] : [Math.max(0, length - most), length];

/** Slices of at most `room` tokens, each beginning before the end of the one before it. */
function overlapping(start: number, end: number, room: number, stride: number): Slice[] {
  const step = room - Math.min(stride, room >> 1);
  const slices: Slice[] = [];
  for (let from = start; ; from += step) {
    const to = Math.min(from + room, end);
    slices.push([from, to]);
    if (to === end) return slices;
  }
}

function joinSlices({ ids, offsets }: Sequence, slices: readonly Slice[]): Sequence {
  const length = slices.reduce((sum, [from, to]) => sum + to - from, 0);
  const joined = new Int32Array(length);
  const joinedOffsets = offsets && new Uint32Array(2 * length);
  let at = 0;
  for (const [from, to] of slices) {
    joined.set(ids.subarray(from, to), at);
    joinedOffsets?.set(offsets!.subarray(2 * from, 2 * to), 2 * at);
    at += to - from;
  }
  return { ids: joined, offsets: joinedOffsets };
}

type Placed = readonly [text: Sequence, slice: Slice];

function makeWindow(
  parts: readonly Part[],
  texts: { readonly first: Placed; readonly second?: Placed },
): TokenWindow {
  const own = Object.values(texts).reduce((sum, [, [from, to]]) => sum + to - from, 0);
  const length = own + countSpecial(parts);
  const ids = new Int32Array(length);
  const typeIds = new Int32Array(length);
  const special = new Uint8Array(length);
  const offsets = texts.first[0].offsets && new Uint32Array(2 * length);
  let at = 0;
  for (const part of parts) {
    if ('id' in part) {
      ids[at] = part.id;
      typeIds[at] = part.typeId;
      special[at] = 1;
      at += 1;
      continue;
    }
    const [text, [from, to]] = texts[part.text]!;
    ids.set(text.ids.subarray(from, to), at);
    if (part.typeId !== 0) typeIds.fill(part.typeId, at, at + to - from);
    offsets?.set(text.offsets!.subarray(2 * from, 2 * to), 2 * at);
    at += to - from;
  }
  return { ids, typeIds, special, own, offsets };
}

function tooShort(): ServeError {
  return new ServeError(
    'INVALID_ARGUMENT',
    'The part of the text that cannot be left out fills the window of the model; send a shorter one.',
  );
}
