/** @module Runs a model several times for one request; the first failure stops the other runs. */

import type { CancelSignal } from '../native/index.ts';

/**
 * Calls `run` for all items concurrently. The signal that a run gets aborts with the request's own signal, and when
 * another of the runs fails.
 *
 * @returns the results in the order of the items.
 * @throws the first failure, once every other run has ended as well, so that no work of the request continues.
 */
export async function runTogether<Item, Result>(
  items: readonly Item[],
  outer: CancelSignal | undefined,
  run: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  else outer?.addEventListener('abort', abort);
  let failed = false;
  let failure: unknown;
  const results = items.map(async (item) => {
    try {
      return await run(item, controller.signal);
    } catch (error) {
      if (!failed) failure = error;
      failed = true;
      controller.abort(error);
      throw error;
    }
  });
  const settled = await Promise.allSettled(results);
  outer?.removeEventListener('abort', abort);
  if (failed) throw failure;
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
