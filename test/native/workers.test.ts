/** @module Threads of one process share models, instances and counters, and each gets its own results. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fixture, float32, open } from './support.ts';
import { startWorker } from './worker.ts';

const threads = 4;
const requests = 500;

async function work(number: number): Promise<{ digest: string; largest: number }> {
  const worker = startWorker('workers.fixture.ts', { number, requests });
  const exited = once(worker, 'exit');
  const [message] = await once(worker, 'message');
  assert.deepEqual(await exited, [0]);
  return message;
}

describe('Workers', () => {
  test(`get their own results: ${threads} of them with ${requests} requests each, beside the main thread`, async () => {
    const engine = open();
    const model = await engine.load({
      path: fixture('identity-float32'),
      batching: { maxQueue: 1 << 14 },
    });
    const all = Array.from({ length: threads }, (_, number) => work(number));
    for (let index = 0; index < 200; index++) {
      const x = float32([-1, index, index]);
      assert.deepEqual((await model.run({ x })).outputs.y, x);
    }
    const reports = await Promise.all(all);
    const { completed, queue, queued, running, submitted } = model.stats();
    const expected = threads * requests + 200;
    assert.deepEqual([submitted, completed, queue.count], [expected, expected, expected]);
    assert.deepEqual([queued, running], [0, 0]);
    for (const { digest, largest } of reports) {
      assert.equal(digest, model.digest);
      assert.ok(largest > 1, 'nothing was batched');
    }
    const { count, sum } = engine.counters
      .snapshot()
      .find(({ key }) => key === 'workers')!.histogram;
    assert.equal(count, threads * requests);
    assert.ok(Math.abs(sum - count / 2) < 1e-6);
    await engine.close();
  });
});
