/**
 * Starts and ends empty Workers, as many as the argument says, and sends the memory that the runtime loses with each,
 * bytes.
 *
 * @module
 */
import { once } from 'node:events';
import { startWorker } from '../native/worker.ts';
import { slopeOf } from './check.ts';
import { releaseFreeMemory } from './heap.ts';

const count = Number(process.argv[2]);
// The first ones also fill what Bun keeps for later ones.
const first = count / 4;
const points: [workers: number, bytes: number][] = [];
for (let ended = 1; ended <= count; ended++) {
  const worker = startWorker('../soak/empty.fixture.ts', undefined);
  const exit = once(worker, 'exit');
  await once(worker, 'message');
  await worker.terminate();
  await exit;
  if (ended < first || ended % 10 !== 0) continue;
  Bun.gc(true);
  releaseFreeMemory();
  points.push([ended, process.memoryUsage.rss()]);
}
process.send!(slopeOf(points));
process.disconnect!();
