/** @module Work on many files, a few at a time. */

/** Waits also after an error until all work that has begun is over, so that nothing goes on behind the caller's back. */
export async function eachAtOnce<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const remaining = items.values();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const item of remaining) {
      await work(item).catch((error) => errors.push(error));
      if (errors.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (errors.length > 0) throw errors[0];
}
