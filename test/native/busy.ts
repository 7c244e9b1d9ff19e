/** @module An engine with every kind of work in flight, for the tests of how a thread ends. */
import type { Engine, Model } from '../../native/index.ts';
import { fixture, float32, loop, open, tensor, until } from './support.ts';

const ignore = () => {};

/** Enough rows for 128 KiB, so that the engine borrows the input. */
const largeRows = 16_384;

export interface Busy {
  readonly engine: Engine;
  readonly model: Model;
  /** Resolves to the number of results once all requests have completed. */
  readonly completed: Promise<number>;
}

/**
 * Runs one long loop of that many turns, with small requests, borrowed inputs and deadlines queued
 * behind it, a load and a model about to be released.
 */
export async function busy(turns: number): Promise<Busy> {
  const engine = open();
  const model = await engine.load({ path: fixture('slow-loop') });
  const other = await engine.load({ path: fixture('identity-float32') });
  const done = loop(model, turns);
  // An instance has taken the request; on a busy machine its run may end before this thread sees it.
  await until(() => model.stats().queued === 0);
  const queued = Array.from({ length: 20 }, () => loop(model, 100));
  const borrowed = Array.from({ length: 4 }, () => {
    const iterations = tensor('int64', [largeRows, 1], new BigInt64Array(largeRows));
    return model.run({ iterations }, { transfer: true });
  });
  const quick = Array.from({ length: 20 }, (_, index) =>
    other.run({ x: float32([index, index, index]) }),
  );
  loop(model, 1, { timeoutMs: 60_000 }).catch(ignore);
  loop(model, 1, { signal: AbortSignal.timeout(1) }).catch(ignore);
  engine.load({ path: fixture('dynamic-axes') }).catch(ignore);
  other.close().catch(ignore);
  const all = Promise.all([done, ...queued, ...borrowed, ...quick]);
  const completed = all.then(({ length }) => length);
  completed.catch(ignore);
  return { engine, model, completed };
}
