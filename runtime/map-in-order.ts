/** @module Asynchronous work on many items, of which a limited number is in progress at a time. */

import { ShortTurns } from './short-turns.ts';

/**
 * The results of `work` for all items, in the order of the items. Other work of the thread runs between items.
 *
 * @param limit Items that are worked on at the same time.
 * @throws the first error of `work`.
 */
export async function mapInOrder<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const remaining = items.entries();
  const turns = new ShortTurns();
  const worker = async () => {
    for (const [index, item] of remaining) {
      await turns.pause();
      results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
