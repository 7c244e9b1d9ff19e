/** @module */

/** The order of turns shifts by one each repeat, so that nobody always follows the same contender. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
