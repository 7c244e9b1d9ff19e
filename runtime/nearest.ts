/** @module Finds the name that a misspelt one may mean. */

/** Longest name that is compared: the work grows with its square. */
const MAX_CHARACTERS = 60;

/** The nearest name that begins with `name`, or differs in at most a third of its characters; undefined if there is none. */
export const nearest = (name: string, names: readonly string[]): string | undefined =>
  nearNames(name, names, 1)[0];

/** Those names, the nearest first. @param most How many at most. */
export function nearNames(name: string, names: readonly string[], most: number): string[] {
  if (name.length > MAX_CHARACTERS) return [];
  const near: { each: string; distance: number }[] = [];
  for (const each of names) {
    if (each.length > MAX_CHARACTERS) continue;
    const [from, to] = [name.toLowerCase(), each.toLowerCase()];
    const begins = from !== '' && to.startsWith(from);
    const distance = begins ? 1 : editDistance(from, to);
    if (distance <= Math.max(1, each.length / 3)) near.push({ each, distance });
  }
  near.sort((a, b) => a.distance - b.distance);
  return near.slice(0, most).map(({ each }) => each);
}

/**
 * The number of characters to insert, delete or replace, or of neighbours to exchange, to turn one string into the other
 * (Damerau–Levenshtein distance where no part is changed twice).
 */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let row = 0; row < from.length; row += 1) {
    const current = [row + 1];
    for (let i = 1; i <= to.length; i += 1) {
      const replaced = above[i - 1]! + (from[row] === to[i - 1] ? 0 : 1);
      const isExchange = row > 0 && i > 1 && from[row] === to[i - 2] && from[row - 1] === to[i - 1];
      const exchanged = isExchange ? before[i - 2]! + 1 : replaced;
      current.push(Math.min(replaced, exchanged, above[i]! + 1, current[i - 1]! + 1));
    }
    [before, above] = [above, current];
  }
  return above.at(-1)!;
}
