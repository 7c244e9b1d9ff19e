/** @module Runs a model several times for one request; the first failure stops the other runs. */

import type { CancelSignal, Timings } from '../native/index.ts';

/**
 * How long the runs in flight of one request may occupy every instance, milliseconds.
 * Why: .github/decisions/0048-a-request-keeps-few-runs-in-flight.md
 */
const AHEAD_MS = 100;

/**
 * How many runs of one request are in flight at a time: enough to keep all instances at work, and no more, because requests that
 * arrive later wait behind them.
 */
export class Pace {
  readonly #instances: number;
  #limit: number;

  /** @param instances Those of the model; infinity lets all runs start at once. */
  constructor(instances: number) {
    this.#instances = instances;
    this.#limit = instances + 1;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Learns from a run how many take the time that they may. Several of them may have been in its batch. */
  ended({ computeMs, batchRequests }: Timings): void {
    const fitting = Math.floor((AHEAD_MS * this.#instances * batchRequests) / computeMs);
    this.#limit = Math.max(this.#instances + 1, fitting);
  }
}

/**
 * Calls `run` for all items, in their order and several at a time. The signal that a run gets aborts with the request's own signal,
 * and when another of the runs fails.
 *
 * @returns the results in the order of the items.
 * @throws the first failure, once every other run has ended as well, so that no work of the request continues.
 */
export async function runTogether<Item, Result extends { readonly timings: Timings }>(
  items: readonly Item[],
  pace: Pace,
  outer: CancelSignal | undefined,
  run: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  else outer?.addEventListener('abort', abort);
  const results = new Array<Result>(items.length);
  const failures: unknown[] = [];
  const inFlight = new Set<Promise<void>>();
  const start = (index: number) => {
    const ended = run(items[index]!, signal)
      .then(
        (result) => {
          results[index] = result;
          pace.ended(result.timings);
        },
        (error) => {
          failures.push(error);
          controller.abort(error);
        },
      )
      .finally(() => inFlight.delete(ended));
    inFlight.add(ended);
  };
  for (let next = 0; next < items.length && failures.length === 0; ) {
    while (next < items.length && inFlight.size < pace.limit) start(next++);
    await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  outer?.removeEventListener('abort', abort);
  if (failures.length > 0) throw failures[0];
  return results;
}
