/** @module Runs a model several times for one request; the first failure stops the other runs. */

import { type CancelSignal, MillraceError, type Timings } from '../native/index.ts';
import { linkedAbort } from './linked-abort.ts';

/**
 * How long the runs in flight of one request may occupy everything that computes runs, milliseconds.
 * Why: .github/decisions/0048-a-request-keeps-few-runs-in-flight.md
 */
const AHEAD_MS = 100;
/** The time of a run that was too short to be measured, milliseconds. */
const LEAST_MS = 0.001;

/**
 * How many runs of one request are in flight at a time: enough to keep all instances at work, and no more, because requests that
 * arrive later wait behind them.
 */
export class Pace {
  readonly #parallel: number;
  #limit: number;

  /** @param parallel Runs that are computed at the same time: one on each instance, or those that share a step of generation. */
  constructor(parallel: number) {
    this.#parallel = parallel;
    this.#limit = parallel + 1;
  }

  get limit(): number {
    return this.#limit;
  }

  /**
   * Learns from a run how many take the time that they may. Several of them may have been in its batch. The callers start long
   * runs first, so that a short one does not let long ones start.
   */
  ended({ computeMs, batchRequests }: Timings): void {
    const each = Math.max(computeMs, LEAST_MS) / Math.max(batchRequests, 1);
    this.#limit = Math.max(this.#parallel + 1, Math.floor((AHEAD_MS * this.#parallel) / each));
  }

  /** Other requests fill the queue: there is room for so many. */
  refused(inFlight: number): void {
    this.#limit = Math.max(inFlight, 1);
  }
}

/**
 * Calls `run` for all items, about in their order and several at a time. The signal that a run gets aborts with the request's own
 * signal, and when another of the runs fails. A run that the queue refuses is made again later, unless it is the only one in
 * flight.
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
  const { signal, abort, unlink } = linkedAbort(outer);
  const results = new Array<Result>(items.length);
  const waiting = Array.from(items.keys()).reverse();
  const failures: unknown[] = [];
  const inFlight = new Set<Promise<void>>();
  const start = async (index: number) => {
    try {
      const result = await run(items[index]!, signal);
      results[index] = result;
      pace.ended(result.timings);
    } catch (error) {
      if (isRefusal(error) && inFlight.size > 1 && failures.length === 0) {
        waiting.push(index);
        pace.refused(inFlight.size - 1);
        return;
      }
      failures.push(error);
      abort(error);
    }
  };
  while (failures.length === 0 && (waiting.length > 0 || inFlight.size > 0)) {
    while (waiting.length > 0 && inFlight.size < pace.limit && failures.length === 0) {
      const ended = start(waiting.pop()!).finally(() => inFlight.delete(ended));
      inFlight.add(ended);
    }
    await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  unlink();
  if (failures.length > 0) throw failures[0];
  return results;
}

const isRefusal = (error: unknown) =>
  error instanceof MillraceError && error.code === 'UNAVAILABLE';
