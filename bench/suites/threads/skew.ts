/** @module Finds the HTTP thread of a connection, and selects connections. Pure functions. */

/**
 * A name for the thread that sent a response: the random part of its request ids.
 *
 * @param head Status line and headers of a response to a request without an id of its own.
 */
export function threadOf(head: string): string {
  return /^x-request-id: *(req_[0-9a-f]{10})/im.exec(head)?.[1] ?? '';
}

/**
 * Selects items by thread. The thread with the most items gets the first count, and so on. A thread with too few items
 * contributes all of them, and a missing thread has no group.
 */
export function pickSkewed<T>(
  items: readonly T[],
  threadOf: (item: T) => string,
  counts: readonly number[],
): T[][] {
  const byThread = new Map<string, T[]>();
  for (const item of items) {
    const thread = threadOf(item);
    byThread.set(thread, [...(byThread.get(thread) ?? []), item]);
  }
  return [...byThread.values()]
    .toSorted((a, b) => b.length - a.length)
    .slice(0, counts.length)
    .map((group, i) => group.slice(0, counts[i]));
}
