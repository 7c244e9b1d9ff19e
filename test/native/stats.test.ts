/** @module The statistics of models and the counters of the process: what they count, and that they add up. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Histogram, ModelStats } from '../../native/index.ts';
import { runChild } from './child.ts';
import { float32, loop, occupy, open, refused, thrown, until, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

function adds({ submitted, completed, failed, cancelled, expired, queued, running }: ModelStats) {
  return submitted === completed + failed + cancelled + expired + queued + running;
}

function assertHistogram({ bounds, counts, count, sum }: Histogram): void {
  assert.equal(counts.length, bounds.length);
  assert.deepEqual(
    bounds,
    [...bounds].sort((a, b) => a - b),
  );
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => a - b),
    'the counts are cumulative',
  );
  assert.ok(count >= (counts.at(-1) ?? 0));
  assert.equal(sum > 0, count > 0);
}

describe('statistics of a model', () => {
  test('every outcome is counted once', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const { done } = await occupy(model);
        const expired = refused(loop(model, 1, { timeoutMs: 1 }), 'DEADLINE_EXCEEDED');
        const controller = new AbortController();
        const aborted = assert.rejects(loop(model, 1, { signal: controller.signal }));
        const kept = loop(model, 1);
        const rejected = refused(loop(model, 1), 'UNAVAILABLE');
        // In the same turn, because on a busy machine the instance may be free before the next one.
        controller.abort();
        const busy = model.stats();
        assert.deepEqual([busy.queued, busy.running, busy.rejected], [3, 1, 1]);
        await Promise.all([expired, aborted, rejected]);
        const later = model.stats();
        for (const stats of [busy, later]) assert.ok(adds(stats), JSON.stringify(stats));
        await Promise.all([done, kept]);
        await until(() => model.stats().queued + model.stats().running === 0);
        const stats = model.stats();
        assert.ok(adds(stats), JSON.stringify(stats));
        const { batches, rows, queue, compute, costs, ...rest } = stats;
        const { stuckInstances, deviceLost, returningShare, expectedWaitMs } = rest;
        const outcomes = [
          ...[rest.submitted, rest.completed, rest.failed, rest.cancelled, rest.expired],
          ...[rest.rejected, rest.queued, rest.running],
        ];
        assert.deepEqual(outcomes, [4, 2, 0, 1, 1, 1, 0, 0]);
        assert.ok(
          costs.length > 0 &&
            stuckInstances === 0 &&
            !deviceLost &&
            returningShare <= 1 &&
            expectedWaitMs >= 0,
        );
        assert.deepEqual([batches, rows, queue.count, compute.count], [2, 2, 2, 2]);
        for (const histogram of [queue, compute]) assertHistogram(histogram);
        assert.ok(compute.sum > 0.01 && compute.sum < 10, `${compute.sum} seconds of computing`);
      },
      { batching: { maxQueue: 3 } },
    ));

  test('failures are counted, and each run is one observation of the compute time', () =>
    withModel(
      engine,
      'poison',
      async (model) => {
        const runs = Array.from({ length: 100 }, (_, index) =>
          model.run({ x: float32([index % 10 === 0 ? 2000 : 1, 1]) }),
        );
        await Promise.allSettled(runs);
        const stats = model.stats();
        assert.deepEqual([stats.submitted, stats.completed, stats.failed], [100, 90, 10]);
        assert.equal(stats.queue.count, 100);
        assert.equal(stats.compute.count, stats.batches);
        assert.equal(stats.rows, 100);
        assertHistogram(stats.compute);
      },
      { batching: { maxRows: 8 } },
    ));

  test('the counters add up after any mixture of outcomes on several instances', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const runs = Array.from({ length: 2000 }, (_, index) => {
          const timeoutMs = index % 7 === 0 ? { timeoutMs: index % 5 } : {};
          const signal = index % 11 === 0 ? { signal: AbortSignal.timeout(index % 4) } : {};
          return loop(model, index % 50, { ...timeoutMs, ...signal });
        });
        const settled = await Promise.allSettled(runs);
        await until(() => model.stats().queued + model.stats().running === 0);
        const stats = model.stats();
        assert.ok(adds(stats), JSON.stringify(stats));
        const refusals = settled.filter(
          (outcome) => outcome.status === 'rejected' && outcome.reason.code === 'UNAVAILABLE',
        );
        // A deadline too short for any run is refused too, with its own code.
        assert.equal(stats.submitted + stats.rejected, 2000);
        assert.ok(stats.rejected >= refusals.length);
        assert.equal(stats.queue.count, stats.completed + stats.failed);
      },
      { batching: { maxQueue: 600 }, instances: 3 },
    ));

  test('runs are counted by their number of rows, and each request has the whole times of its run', () =>
    withModel(engine, 'identity-float32', async (model) => {
      assert.deepEqual([model.stats().sizes, model.stats().lastRunAt], [[], 0]);
      for (let i = 0; i < 5; i++) await model.run({ x: float32([1, 2, 3], [4, 5, 6]) });
      await model.run({ x: float32([1, 2, 3]) });
      const { sizes, answered, lastRunAt, batches, rows } = model.stats();
      assert.deepEqual(
        sizes.map(({ rows, count }) => [rows, count]),
        [
          [1, 1],
          [2, 5],
        ],
      );
      assert.deepEqual([answered.count, batches, rows], [6, 6, 11]);
      for (const part of ['inputMs', 'computeMs', 'outputMs'] as const) {
        assert.ok(answered[part] >= 0, part);
        const sum = sizes.reduce((all, size) => all + size[part], 0);
        assert.ok(Math.abs(answered[part] - sum) < 1e-6, `${part}: ${answered[part]} and ${sum}`);
      }
      assert.ok(answered.computeMs > 0);
      assert.ok(Math.abs(Date.now() - lastRunAt) < 60_000, `${lastRunAt}`);
    }));

  test('each call returns a new object', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const before = model.stats();
      await loop(model, 1);
      assert.equal(before.submitted, 0);
      assert.equal(model.stats().submitted, 1);
    }));
});

describe('counters of the process', () => {
  const bounds = [0.001, 0.01, 0.1];
  const read = (key: string, from = engine) =>
    from.counters.snapshot().find((entry) => entry.key === key)?.histogram;

  test('an observation counts in the first cell whose bound is not below it', () => {
    const series = engine.counters.series('stats: buckets', bounds);
    assert.deepEqual(read('stats: buckets'), { bounds, counts: [0, 0, 0], count: 0, sum: 0 });
    for (const seconds of [0.0005, 0.001, 0.002, 0.05, 2]) engine.counters.observe(series, seconds);
    const histogram = read('stats: buckets')!;
    assert.deepEqual([histogram.counts, histogram.count], [[2, 3, 4], 5]);
    assert.ok(Math.abs(histogram.sum - 2.0535) < 1e-6, `${histogram.sum}`);
  });

  test('the same key is the same series, in every engine', async () => {
    const other = open();
    const series = engine.counters.series('stats: shared', bounds);
    assert.equal(other.counters.series('stats: shared', bounds), series);
    assert.notEqual(engine.counters.series('stats: another', bounds), series);
    engine.counters.observe(series, 0.5);
    other.counters.observe(series, 0.5);
    assert.equal(read('stats: shared')?.count, 2);
    await other.close();
    assert.equal(read('stats: shared')?.count, 2, 'it outlives the engine that made it');
  });

  test('a series without bounds is a counter, which changes by any whole number', () => {
    const series = engine.counters.series('stats: counter', []);
    for (const amount of [1, 2 ** 40, -(2 ** 40), 41]) engine.counters.add(series, amount);
    assert.deepEqual(read('stats: counter'), { bounds: [], counts: [], count: 42, sum: 0 });
    for (const unknown of [-1, 4095, 1e9, Number.NaN]) {
      if (Math.trunc(unknown) !== series) engine.counters.add(unknown, 1);
    }
    engine.counters.add(series, Number.NaN);
    assert.equal(read('stats: counter')?.count, 42);
  });

  test('wrong durations and unknown series change no histogram', () => {
    const series = engine.counters.series('stats: odd', bounds);
    for (const seconds of [Number.NaN, Infinity, -Infinity, -1]) {
      engine.counters.observe(series, seconds);
    }
    for (const unknown of [-1, 4095, 1e9, Number.NaN, 0.5 + series]) {
      if (Math.trunc(unknown) !== series) engine.counters.observe(unknown, 1);
    }
    assert.deepEqual(read('stats: odd'), { bounds, counts: [0, 0, 0], count: 0, sum: 0 });
  });

  test('wrong keys and bounds of a series are refused', () => {
    const wrong: readonly (readonly [unknown, unknown])[] = [
      [7, bounds],
      [undefined, bounds],
      ['stats: x', undefined],
      ['stats: x', 1],
      ['stats: x', '0.1'],
      ['stats: x', ['0.1']],
      ['stats: x', [Number.NaN]],
      ['stats: x', [1, 1]],
      ['stats: x', [2, 1]],
      ['stats: x', [1, Number.NaN]],
      ['stats: x', new Array(2)],
    ];
    for (const [key, wrongBounds] of wrong) {
      const call = () => engine.counters.series(key as string, wrongBounds as number[]);
      thrown(call, 'INVALID_ARGUMENT');
    }
    assert.equal(read('stats: x'), undefined);
  });

  test('a full table refuses new series, and the existing ones still count', async () => {
    const { code, stderr, stdout } = await runChild('counters.fixture.ts', []);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(JSON.parse(stdout), { code: 'RESOURCE_EXHAUSTED', series: 4096, count: 1 });
  });
});
