/**
 * How long the regular expressions of a tokenizer may take. The library ends the process when one of them gives up, which it
 * does after ten million steps, and nothing can interrupt one.
 *
 * @module
 */

import { type Item, parseRegex, type Sequence } from './regex-tree.ts';

export interface RegexCost {
  /** Whether some thirty characters may be too many. */
  readonly isExponential: boolean;
  /** Classes of characters through which it looks again and again, so that many of them in a row take long. */
  readonly looksThrough: readonly string[];
}

/** Characters that tell whether two classes have a character in common: ASCII, and one of each other kind. */
const SAMPLES = [
  ...Array.from({ length: 127 }, (_, code) => String.fromCharCode(code + 1)),
  ...'éÉŉǅʰא中あアก\u0301\u0903\u20dd٣Ⅷ½‿—「」«»…£^¨♥\u00a0\u2028\u2029\u00ad\ue000😀',
];

/** What an expression may cost in the worst case, as far as it can be told. */
export function regexCost(source: string): RegexCost {
  const alternatives = parseRegex(source);
  return {
    isExponential: alternatives.some((items) => hasExponential(items, false)),
    looksThrough: alternatives.flatMap((items) => items.flatMap(lookedThrough)),
  };
}

/**
 * Whether there is a repetition within a repetition, so that the same text can be divided in many ways, all of which are tried
 * if what follows does not match.
 *
 * @param isFollowed Whether something follows the sequence that may not match.
 */
function hasExponential(items: Sequence, isFollowed: boolean): boolean {
  return items.some(({ group, looks, isEndless, isPossessive }, i) => {
    if (isPossessive) return false;
    const mayFail = isFollowed || looks || items.slice(i + 1).some(canFail);
    if (mayFail && isEndless && (group.some(repeatsItself) || hasSame(group))) return true;
    return group.some((inner) => hasExponential(inner, mayFail));
  });
}

/** Whether it may not match: what must be there, and what has no width, such as `$`. */
const canFail = ({ atom, isOptional }: Item): boolean => !isOptional || atom === undefined;

/** Whether a sequence that is repeated ends with a repetition of what it begins with. */
function repeatsItself(items: Sequence): boolean {
  const ends = edges(items.toReversed()).filter(
    ({ isEndless, isPossessive }) => isEndless && !isPossessive,
  );
  return ends.some((end) => edges(items).some((start) => overlap(end, start)));
}

/** Whether two alternatives of one character have a character in common. */
function hasSame(group: readonly Sequence[]): boolean {
  const single = group.filter((items) => items.length === 1).map(edges);
  return single.some((one, i) =>
    single.slice(i + 1).some((other) => one.some((a) => other.some((b) => overlap(a, b)))),
  );
}

/** The atoms that a sequence may begin with. Those of groups are as endless as the groups. */
function edges(items: Sequence): readonly Item[] {
  const found: Item[] = [];
  for (const item of items) {
    if (item.atom !== undefined) found.push(item);
    else if (!item.looks) {
      const inner = item.group.flatMap(edges);
      found.push(...(item.isEndless ? inner.map((each) => ({ ...each, isEndless: true })) : inner));
    }
    if (!item.isOptional) break;
  }
  return found;
}

function overlap({ atom: one }: Item, { atom: other }: Item): boolean {
  const [a, b] = [tester(one!), tester(other!)];
  return a !== undefined && b !== undefined && SAMPLES.some((each) => a.test(each) && b.test(each));
}

/** What a character of the class is; undefined if the class has something that other engines do not know. */
export function tester(atom: string): RegExp | undefined {
  // Names such as [:alpha:] would be read as characters.
  if (/\[:\^?\w+:\]/.test(atom)) return undefined;
  try {
    return new RegExp(`^(?:${atom})$`, 'v');
  } catch {
    return undefined;
  }
}

/** The classes through which it looks ahead or behind without an end, which it does again at the next character. */
function lookedThrough({ group, looks }: Item): readonly string[] {
  const atoms = (items: Sequence, isEndless: boolean): string[] =>
    items.flatMap((item) => {
      const repeats = isEndless || item.isEndless;
      const own = item.atom !== undefined && repeats ? [item.atom] : [];
      return [...own, ...item.group.flatMap((inner) => atoms(inner, repeats))];
    });
  return looks
    ? group.flatMap((items) => atoms(items, false))
    : group.flatMap((items) => items.flatMap(lookedThrough));
}
