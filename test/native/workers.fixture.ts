/** @module A Worker that runs its own requests on models it shares with its siblings. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { fixture, float32, loop, open } from './support.ts';

const { number, requests } = workerData as { number: number; requests: number };
const engine = open();
const series = engine.counters.series('workers', [0.1, 1]);
const model = await engine.load({
  path: fixture('identity-float32'),
  batching: { maxQueue: 1 << 14 },
});
const slow = await engine.load({ path: fixture('slow-loop'), instances: 2 });

const row = (index: number) => float32([number, index, number * 1000 + index]);
let largest = 0;
await Promise.all(
  Array.from({ length: requests }, async (_, index) => {
    engine.counters.observe(series, 0.5);
    const { outputs, timings } = await model.run({ x: row(index) });
    assert.deepEqual(outputs.y, row(index));
    largest = Math.max(largest, timings.batchRequests);
    if (index % 20 === 0) await loop(slow, 1000);
  }),
);
const { digest } = model;
parentPort!.postMessage({ digest, largest });
// The others may still be at work: their results do not depend on this thread.
await engine.close();
