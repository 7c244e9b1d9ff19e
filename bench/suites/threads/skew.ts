/** @module Which HTTP thread a connection belongs to, and which connections to keep. Pure functions. */

/**
 * A name for the thread that sent a response: the random part of its request ids.
 *
 * @param head Status line and headers of a response to a request without an id of its own.
 */
export function threadOf(head: string): string {
  return /^x-request-id: *(req_[0-9a-f]{10})/im.exec(head)?.[1] ?? '';
}

/**
 * As many items of each thread as asked for; threads with the most items come first, and get the first
 * count. A thread that has too few gives what it has, one that is not there no group.
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
