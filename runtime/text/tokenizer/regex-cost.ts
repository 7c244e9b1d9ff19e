/**
 * How long the regular expressions of a tokenizer may take. The library ends the process when one of them gives up, which it
 * does after ten million steps, and nothing can interrupt one.
 *
 * @module
 */

import { dividedAtoms, isAmbiguous, positionsOf } from './regex-positions.ts';
import { type Item, parseRegex, type Sequence } from './regex-tree.ts';

export interface RegexCost {
  /** Whether some thirty characters may be too many. */
  readonly isExponential: boolean;
  /** Classes of characters through which it looks again and again, so that many of them in a row take long. */
  readonly looksThrough: readonly string[];
}

/** What an expression may cost in the worst case, as far as it can be told. */
export function regexCost(source: string): RegexCost {
  const alternatives = parseRegex(source);
  return {
    isExponential: alternatives.some((items) => hasExponential(items, false)),
    looksThrough: alternatives.flatMap((items) => [
      ...items.flatMap(lookedThrough),
      ...divided(items, false),
    ]),
  };
}

/**
 * Whether there is a repetition in which the same text can be divided in many ways, all of which are tried if what follows does
 * not match.
 *
 * @param isFollowed Whether something follows the sequence that may not match.
 */
function hasExponential(items: Sequence, isFollowed: boolean): boolean {
  return items.some((item, i) => {
    const { group, looks, isEndless, isPossessive } = item;
    if (isPossessive) return false;
    const mayFail = isFollowed || looks || items.slice(i + 1).some(canFail);
    if (mayFail && isEndless && isAmbiguous(positionsOf([item]))) return true;
    return group.some((inner) => hasExponential(inner, mayFail));
  });
}

/** Whether it may not match: what must be there, and what has no width, such as `$`. */
const canFail = ({ atom, group, looks, isOptional }: Item): boolean =>
  !isOptional || looks || (atom === undefined && group.length === 0);

/**
 * The classes of which two repetitions share a run of characters, such as `\s*` and `.*`: before what follows is found not to
 * match, the run is divided between them in each way.
 *
 * @param isFollowed As for `hasExponential`.
 */
function divided(items: Sequence, isFollowed: boolean): readonly string[] {
  const end = isFollowed ? items.length : items.findLastIndex(canFail);
  const own = dividedAtoms(positionsOf(items.slice(0, Math.max(end, 0))));
  const inner = items.flatMap(({ group, looks }, i) =>
    looks ? [] : group.flatMap((each) => divided(each, i < end)),
  );
  return [...own, ...inner];
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
