/** @module The runs of one request: how many are in flight, and what the first failure does to the others. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MillraceError, type Timings } from '../../native/index.ts';
import { Pace, runTogether } from '../../runtime/run-together.ts';

const timings = (computeMs: number, batchRequests = 1): Timings => ({
  ...{ queueMs: 0, batchRows: 1 },
  ...{ computeMs, batchRequests },
});

interface Ended {
  readonly item: number;
  readonly timings: Timings;
}

interface End {
  resolve(ended: Ended): void;
  reject(error: Error): void;
}

/** Runs that end when the test says so. */
class Runs {
  readonly started: number[] = [];
  readonly #ends = new Map<number, End>();

  readonly run = (item: number, signal: AbortSignal) => {
    this.started.push(item);
    const end = Promise.withResolvers<Ended>();
    this.#ends.set(item, end);
    signal.addEventListener('abort', () => end.reject(signal.reason));
    return end.promise;
  };

  /** Resolves when what follows from the end of a run has happened. */
  async end(item: number, took: Timings): Promise<void> {
    this.#ends.get(item)!.resolve({ item, timings: took });
    await new Promise(setImmediate);
  }

  async fail(item: number, error: Error): Promise<void> {
    this.#ends.get(item)!.reject(error);
    await new Promise(setImmediate);
  }
}

const items = Array.from({ length: 40 }, (_, i) => i);

describe('the runs of a request', () => {
  test('are one more than the instances, if they are long', async () => {
    const runs = new Runs();
    const all = runTogether(items, new Pace(2), undefined, runs.run);
    assert.deepEqual(runs.started, [0, 1, 2]);
    await runs.end(1, timings(500));
    assert.deepEqual(runs.started, [0, 1, 2, 3]);
    await runs.end(0, timings(201));
    assert.equal(runs.started.length, 5);
    // Ten of them shared a batch, so that twice ten take as long as allowed.
    await runs.end(2, timings(100, 10));
    assert.equal(runs.started.length, 3 + 20);
    for (const item of items.slice(3)) await runs.end(item, timings(500));
    assert.deepEqual(
      (await all).map(({ item }) => item),
      items,
    );
  });

  test('start at once, as soon as one was short', async () => {
    const runs = new Runs();
    const all = runTogether(items, new Pace(1), undefined, runs.run);
    assert.equal(runs.started.length, 2);
    await runs.end(0, timings(0));
    assert.equal(runs.started.length, items.length);
    for (const item of items) await runs.end(item, timings(0));
    await all;
  });

  test('end with the first failure, which starts no others', async () => {
    const runs = new Runs();
    const first = new Error('first');
    const all = assert.rejects(runTogether(items, new Pace(2), undefined, runs.run), first);
    await runs.fail(1, first);
    await all;
    assert.deepEqual(runs.started, [0, 1, 2]);
  });

  test('end when the request is aborted', async () => {
    const runs = new Runs();
    const controller = new AbortController();
    const gone = new Error('gone');
    const all = assert.rejects(runTogether(items, new Pace(2), controller.signal, runs.run), gone);
    controller.abort(gone);
    await all;
    assert.deepEqual(runs.started, [0, 1, 2]);
  });

  test('are made again if the queue had no room for them', async () => {
    const runs = new Runs();
    const all = runTogether(items.slice(0, 5), new Pace(2), undefined, runs.run);
    const full = new MillraceError('UNAVAILABLE', 'full');
    await runs.fail(1, full);
    await runs.fail(2, full);
    assert.deepEqual(runs.started, [0, 1, 2], 'not while another is in flight');
    await runs.end(0, timings(500));
    assert.deepEqual(runs.started, [0, 1, 2, 2, 1, 3]);
    for (const item of [2, 1, 3]) await runs.end(item, timings(500));
    await runs.end(4, timings(500));
    assert.deepEqual(
      (await all).map(({ item }) => item),
      [0, 1, 2, 3, 4],
    );
  });

  test('fail if the queue has no room for any of them', async () => {
    const runs = new Runs();
    const full = new MillraceError('UNAVAILABLE', 'full');
    const all = assert.rejects(runTogether(items, new Pace(2), undefined, runs.run), full);
    for (const item of [0, 1, 2]) await runs.fail(item, full);
    await all;
    assert.deepEqual(runs.started, [0, 1, 2]);
  });

  test('end with an error that is thrown at once, after the others', async () => {
    const runs = new Runs();
    const broken = new Error('broken');
    const run = (item: number, signal: AbortSignal) => {
      if (item === 1) throw broken;
      return runs.run(item, signal);
    };
    await assert.rejects(runTogether(items, new Pace(2), undefined, run), broken);
    assert.deepEqual(runs.started, [0]);
  });

  test('have a pace also without times', () => {
    const pace = new Pace(2);
    pace.ended(timings(0, 0));
    assert.ok(pace.limit > 1000);
  });

  test('may be none', async () => {
    assert.deepEqual(await runTogether([], new Pace(2), undefined, new Runs().run), []);
  });
});
