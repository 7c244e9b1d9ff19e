/** @module A Worker of the soak: it shares a model, runs a few requests, and ends with some in flight. */
import { parentPort } from 'node:worker_threads';
import { fixture, float32, loop, open } from '../native/support.ts';

const engine = open();
const model = await engine.load({ path: fixture('slow-loop'), batching: { maxQueue: 512 } });
await Promise.all(Array.from({ length: 20 }, (_, index) => loop(model, index)));
const other = await engine.load({ path: fixture('dynamic-axes'), batching: { maxQueue: 512 } });
await other.run({ x: float32([1, 2]) });
for (let index = 0; index < 5; index++) loop(model, 1000).catch(() => {});
parentPort!.postMessage('done');
