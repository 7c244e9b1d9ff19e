/** @module Finds the name that a misspelt one may mean. */

/** Longest name that is compared: the work grows with its square. */
const MAX_CHARACTERS = 60;

/** The nearest name whose distance from `name` is at most a third of its length; undefined if there is none. */
export const nearest = (name: string, names: readonly string[]): string | undefined =>
  nearNames(name, names, 1)[0];

/** Those names, the nearest first. @param most How many at most. */
export function nearNames(name: string, names: readonly string[], most: number): string[] {
  if (name.length > MAX_CHARACTERS) return [];
  const near: { each: string; distance: number }[] = [];
  for (const each of names) {
    if (each.length > MAX_CHARACTERS) continue;
    const distance = editDistance(name.toLowerCase(), each.toLowerCase());
    if (distance <= Math.max(1, each.length / 3)) near.push({ each, distance });
  }
  near.sort((a, b) => a.distance - b.distance);
  return near.slice(0, most).map(({ each }) => each);
}

/** The number of characters to insert, delete or replace to turn one string into the other (Levenshtein distance). */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1];
    for (let i = 1; i <= to.length; i += 1) {
      const replaced = above[i - 1]! + (character === to[i - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[i]! + 1, current[i - 1]! + 1));
    }
    above = current;
  }
  return above.at(-1)!;
}
