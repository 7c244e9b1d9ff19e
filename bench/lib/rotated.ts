/** @module */

/** Shifts the order of turns by one per repeat, so that no contender always follows the same other one. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
