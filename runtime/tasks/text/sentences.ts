/**
 * Divides text into sentences. The boundaries are those of Unicode (UAX 29, by ICU in `Intl.Segmenter`), less those that only
 * end an abbreviation, an initial, the number of a list item, or a quotation inside a sentence.
 *
 * @module
 */

import { ShortTurns } from '../../short-turns.ts';

/** A sentence without the white space around it, as UTF-16 offsets into its text. */
export interface Sentence {
  readonly start: number;
  readonly end: number;
}

/** A longer line is segmented in pieces of this many characters, because ICU prepares a piece as a whole. */
const PIECE = 32_768;

/** Abbreviations that are always followed by something, in lower case and without their last full stop. */
const LEADING = new Set(
  (
    'adm al. capt cf col dr e.g esp fig figs gen gov hon i.e lt mr mrs ms mt no nos p pp prof ref rep rev sen sgt ' +
    'sr. st vol vs z.b d.h bzw ca nr abb art. av bd dra mme m mlle sra'
  ).split(' '),
);

/** Abbreviations that may also end a sentence: a capital letter after them begins another one. */
const ENDING = new Set(
  (
    'a.m approx apr assn aug ave bros co corp dec dept est etc feb inc jan jr jul jun llc ltd mar nov oct p.m ph.d ' +
    'sep sept sr u.k u.n u.s univ'
  ).split(' '),
);

const MONTH =
  /^(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b/u;
const LOWER_CASE_NEXT = /^["'“‘«([]*(?:\p{Ll}|\p{Nd}*\p{Ll})/u;
const LAST_WORD = /(?:^|[\s("'“‘«[])([\p{L}\p{Nd}][\p{L}\p{Nd}.-]*)\.["'”’»)\]]*$/u;
const LIST_NUMBER = /^[([]?(?:\p{Nd}{1,3}|\p{L})[.)]$/u;
const ORDINAL = /(?:^|\s)\p{Nd}{1,2}\.$/u;
const INITIAL = /^\p{Lu}$/u;
const WORD = /[\p{L}\p{N}]/u;

/** The sentences in the order of the text; parts without letters and digits belong to none. */
export async function splitSentences(text: string): Promise<readonly Sentence[]> {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
  const turns = new ShortTurns();
  const sentences: Sentence[] = [];
  let open: Sentence | undefined;
  const add = (start: number, end: number) => {
    const part = trimmed(text, start, end);
    if (part.start === part.end) return;
    if (open !== undefined && !joins(text, open, part)) close();
    open = { start: open?.start ?? part.start, end: part.end };
  };
  const close = () => {
    if (open !== undefined && WORD.test(text.slice(open.start, open.end))) sentences.push(open);
    open = undefined;
  };
  for (const [start, end] of lines(text)) {
    for (const [from, to] of segments(segmenter, text, start, end)) {
      add(from, to);
      await turns.pause();
    }
    // A line break ends a sentence only if it seems meant: text that is wrapped at a width goes on in lower case.
    const next = trimmed(text, end, Math.min(end + 64, text.length));
    const wraps = isWrapped(text.slice(end, next.start), text.slice(next.start, next.end));
    if (!wraps) close();
  }
  close();
  return sentences;
}

/** Lines, with the break at their end. */
function* lines(text: string): Iterable<readonly [start: number, end: number]> {
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found + 1;
    yield [start, end];
    start = end;
  }
}

/** The segments of ICU between two offsets. */
function* segments(
  segmenter: Intl.Segmenter,
  text: string,
  start: number,
  end: number,
): Iterable<readonly [start: number, end: number]> {
  let from = start;
  while (from < end) {
    const to = Math.min(from + PIECE, end);
    const piece = text.slice(from, to);
    let done = from;
    for (const { index, segment } of segmenter.segment(piece)) {
      const last = index + segment.length === piece.length;
      // The last segment of a piece may go on in the next one, unless it fills the piece.
      if (last && to < end && index > 0) break;
      yield [from + index, from + index + segment.length];
      done = from + index + segment.length;
    }
    from = done;
  }
}

function trimmed(text: string, start: number, end: number): Sentence {
  const part = text.slice(start, end);
  const lead = part.length - part.trimStart().length;
  return lead === part.length
    ? { start, end: start }
    : { start: start + lead, end: start + part.trimEnd().length };
}

const isWrapped = (gap: string, next: string): boolean =>
  gap.indexOf('\n') === -1 && /^\p{Ll}/u.test(next);

/** Whether what ICU divided is one sentence. */
function joins(text: string, before: Sentence, after: Sentence): boolean {
  const said = text.slice(before.start, before.end);
  const next = text.slice(after.start, Math.min(after.end, after.start + 64));
  if (LIST_NUMBER.test(said)) return true;
  if (LOWER_CASE_NEXT.test(next) && /[.!?…]["'”’»)\]]*$/u.test(said)) return true;
  if (ORDINAL.test(said) && MONTH.test(next)) return true;
  const word = LAST_WORD.exec(said.slice(-64))?.[1];
  if (word === undefined) return !/[.!?…。！？｡؟।\n]["'”’»)\]」』）]*$/u.test(said);
  if (INITIAL.test(word)) return word !== 'I' && /^\p{Lu}/u.test(next);
  const known = word.toLowerCase();
  return LEADING.has(known) || (ENDING.has(known) && !/^["'“‘«([]*\p{Lu}/u.test(next));
}
