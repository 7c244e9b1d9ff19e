/**
 * The positions of a regular expression: its characters and classes, with those that may come next (Glushkov, 1961). A
 * backtracking matcher takes exponential time for a loop that has two ways from a position to itself for the same text
 * (Weideman, van der Merwe, Berglund and Watson, CIAA 2016).
 *
 * @module
 */

import type { Item, Sequence } from './regex-tree.ts';

/** A character or class, with the number of ways in which each position may come next. */
export interface Position {
  /** '' for what is never divided in another way; no character is in it. */
  readonly atom: string;
  readonly next: Map<Position, number>;
}

/** A part of an expression: the positions with which it may begin and end. */
interface Part {
  readonly first: readonly Position[];
  readonly last: readonly Position[];
  readonly isOptional: boolean;
}

/** Characters that tell whether two classes have a character in common: ASCII, and one of each other kind. */
const SAMPLES = [
  ...Array.from({ length: 127 }, (_, code) => String.fromCharCode(code + 1)),
  ...'éÉŉǅʰא中あアก\u0301\u0903\u20dd٣Ⅷ½‿—「」«»…£^¨♥\u00a0\u2028\u2029\u00ad\ue000😀',
];

/** All positions of a sequence. */
export function positionsOf(items: Sequence): readonly Position[] {
  const all: Position[] = [];
  sequencePart(items, all);
  return all;
}

function sequencePart(items: Sequence, all: Position[]): Part {
  let whole: Part = { first: [], last: [], isOptional: true };
  for (const item of items) whole = inOrder(whole, itemPart(item, all));
  return whole;
}

function inOrder(one: Part, other: Part): Part {
  connect(one.last, other.first);
  return {
    first: one.isOptional ? [...one.first, ...other.first] : one.first,
    last: other.isOptional ? [...one.last, ...other.last] : other.last,
    isOptional: one.isOptional && other.isOptional,
  };
}

function itemPart(item: Item, all: Position[]): Part {
  const once = unrepeated(item, all);
  const part = item.isRanged ? inOrder(once, { ...unrepeated(item, all), isOptional: true }) : once;
  if (item.isEndless && !item.isPossessive) connect(part.last, part.first);
  return { ...part, isOptional: part.isOptional || item.isOptional };
}

function unrepeated({ atom, group, looks, isPossessive }: Item, all: Position[]): Part {
  if (looks || (atom === undefined && group.length === 0)) {
    return { first: [], last: [], isOptional: true };
  }
  if (atom === undefined && !isPossessive) {
    const parts = group.map((items) => sequencePart(items, all));
    return {
      first: parts.flatMap(({ first }) => first),
      last: parts.flatMap(({ last }) => last),
      isOptional: parts.some(({ isOptional }) => isOptional),
    };
  }
  const position: Position = { atom: isPossessive ? '' : atom!, next: new Map() };
  all.push(position);
  return { first: [position], last: [position], isOptional: false };
}

function connect(from: readonly Position[], to: readonly Position[]): void {
  for (const { next } of from) for (const each of to) next.set(each, (next.get(each) ?? 0) + 1);
}

/**
 * Whether a loop has two ways from a position to itself for the same text.
 *
 * @param loop The positions of a repetition, each of which can be reached from each.
 */
export function isAmbiguous(loop: readonly Position[]): boolean {
  if (loop.some(({ next }) => [...next.values()].some((ways) => ways > 1))) return true;
  // Two ways that have parted, and whether they meet again.
  const met = new Map<Position, Set<Position>>();
  const open: (readonly [Position, Position])[] = loop.flatMap((each) => apart(each, each));
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [one, other] = pair;
    if (one === other) return true;
    const known = met.get(one) ?? new Set();
    met.set(one, known);
    if (known.has(other)) continue;
    known.add(other);
    open.push(...together(one, other));
  }
  return false;
}

/** The classes of repetitions from which a run of characters leads to another repetition. */
export function dividedAtoms(positions: readonly Position[]): readonly string[] {
  const repeated = positions.filter((each) => each.next.has(each));
  return repeated.flatMap((start) => {
    const reached = new Set<Position>([start]);
    for (const { next } of reached) {
      for (const each of next.keys()) if (overlap(start.atom, each.atom)) reached.add(each);
    }
    const others = repeated.filter((each) => each !== start && reached.has(each));
    return others.length === 0 ? [] : [start.atom, ...others.map(({ atom }) => atom)];
  });
}

const apart = (one: Position, other: Position) => together(one, other).filter(([a, b]) => a !== b);

/** The positions to which the same character leads from two positions. */
const together = (one: Position, other: Position): (readonly [Position, Position])[] =>
  [...one.next.keys()].flatMap((a) =>
    [...other.next.keys()].filter((b) => overlap(a.atom, b.atom)).map((b) => [a, b] as const),
  );

/** Whether a character is in both classes. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [tester(one), tester(other)];
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
