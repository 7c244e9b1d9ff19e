/** @module How many tokens a text has at least, which is known long before its tokens are. */

import { isObject } from '../../is-object.ts';

/** What a tokenizer never joins to one token. */
export interface Division {
  /** Words that a space separates, if they begin with a letter or digit of ASCII. */
  readonly words: boolean;
  /** The ideographs of the block U+4E00 to U+9FFF. */
  readonly ideographs: boolean;
  /** These characters of ASCII, each of which is a token, and words after them like those after a space. */
  readonly marks: string;
}

/** Pre-tokenizers that divide a text at its spaces, unless they are told not to. */
const DIVIDING = ['BertPreTokenizer', 'ByteLevel', 'Metaspace', 'Whitespace', 'WhitespaceSplit'];
const MARKS = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const FIRST_IDEOGRAPH = 0x4e00;
const LAST_IDEOGRAPH = 0x9fff;

/** Texts each of whose parts is a token at least if nothing is joined or left out. */
export const WORDS = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];
export const IDEOGRAPHS = ['一', '的', '日', '鿿'];

/**
 * What the parts of `tokenizer.json` divide. Whether their normalisation leaves something out is not looked at.
 *
 * @param added The names of added tokens, which are found before a text is divided.
 */
export function divisionOf(
  normalizer: unknown,
  preTokenizer: unknown,
  added: readonly string[],
): Division {
  const dividing = membersOf(preTokenizer, 'pretokenizers').filter(
    ({ type, split, use_regex }) =>
      DIVIDING.includes(String(type)) && split !== false && use_regex !== false,
  );
  const normalizers = membersOf(normalizer, 'normalizers');
  // Others may compose a mark with the character after it.
  const isBert =
    normalizers.length > 0 &&
    normalizers.every(({ type }) => type === 'BertNormalizer') &&
    dividing.some(({ type }) => type === 'BertPreTokenizer');
  const keepsIdeographs = normalizers.some((each) => each.handle_chinese_chars === false);
  const words = dividing.length > 0 && !added.some((name) => /\S \S/.test(name));
  return {
    words,
    ideographs: isBert && !keepsIdeographs && !added.some((name) => /[\u4e00-\u9fff]/.test(name)),
    marks: words && isBert ? marksOutside(added) : '',
  };
}

/** An added token such as `[MASK]` joins the marks that it has. */
const marksOutside = (added: readonly string[]): string =>
  [...MARKS].filter((mark) => !added.some((name) => name.includes(mark))).join('');

/** The parts of a sequence, or the only part. */
function membersOf(part: unknown, key: string): Readonly<Record<string, unknown>>[] {
  if (!isObject(part)) return [];
  const members = part[key];
  return Array.isArray(members) ? members.filter(isObject) : [part];
}

/** A number of tokens that a text has at least. Counting takes about a millisecond for each million characters. */
export function leastTokens(text: string, { words, ideographs, marks }: Division): number {
  if (!words && !ideographs) return 0;
  const isMark = new Uint8Array(0x80);
  for (const mark of marks) isMark[mark.charCodeAt(0)] = 1;
  let least = 0;
  let isStart = true;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit >= FIRST_IDEOGRAPH && unit <= LAST_IDEOGRAPH) least += ideographs ? 1 : 0;
    else if (isMark[unit] === 1 || (isStart && words && isAsciiWord(unit))) least += 1;
    isStart = unit === 0x20 || isMark[unit] === 1;
  }
  return least;
}

const isAsciiWord = (unit: number): boolean =>
  (unit >= 0x30 && unit <= 0x39) ||
  (unit >= 0x41 && unit <= 0x5a) ||
  (unit >= 0x61 && unit <= 0x7a);
