/**
 * The soak: mixed load on several models, while other models are loaded and released and Workers start and end, for
 * the number of seconds in the argument. Prints a `Report` as JSON. With `leak` it keeps what it should release.
 *
 * Usage: `bun test/soak/soak.fixture.ts SECONDS [leak]`
 *
 * @module
 */
import { dlopen } from 'bun:ffi';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fixture, float32, open, until } from '../native/support.ts';
import { startWorker } from '../native/worker.ts';
import type { Report, Sample } from './check.ts';
import { client, loadModels, randomOf, type Tally } from './load.ts';

const seconds = Number(process.argv[2]);
const leak = process.argv[3] === 'leak';
const clients = 12;

const engine = open();
const models = await loadModels(engine);
const tally: Tally = { started: 0, fulfilled: 0, rejected: 0, wrong: [] };
const end = performance.now() + seconds * 1000;
const going = () => performance.now() < end;
let loads = 0;
let workers = 0;
const kept: Uint8Array[] = [];

async function loadAndClose(): Promise<void> {
  for (let number = 0; going(); number++) {
    const batching = { maxQueue: 100 + (number % 50) };
    const model = await engine.load({ path: fixture('two-in-two-out'), warmupMs: 0, batching });
    const other = await engine.load({ path: fixture('identity-float32'), warmupMs: 0, batching });
    await other.run({ x: float32([number, 1, 2]) });
    await Promise.all([model.close(), other.close()]);
    loads += 2;
    await delay(20);
  }
}

async function startWorkers(): Promise<void> {
  while (going()) {
    const worker = startWorker('../soak/worker.fixture.ts', undefined);
    const exit = once(worker, 'exit');
    await once(worker, 'message');
    await worker.terminate();
    await exit;
    workers++;
    await delay(200);
  }
}

/**
 * Returns memory to the system that is free, but kept by the C library for later. How much it keeps grows slowly with
 * every thread that comes and goes, although the memory in use does not.
 */
const { malloc_trim: trimMemory } = dlopen('libc.so.6', {
  malloc_trim: { args: ['usize'], returns: 'int' },
}).symbols;

async function sampleEachSecond(): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (going()) {
    await delay(1000);
    // Several times the amount by which memory varies without a leak.
    if (leak) kept.push(new Uint8Array(16 << 20).fill(samples.length));
    Bun.gc(true);
    trimMemory(0);
    const { user, system } = process.cpuUsage();
    samples.push({
      seconds: performance.now() / 1000,
      cpuSeconds: (user + system) / 1e6,
      requests: tally.started,
      rss: process.memoryUsage.rss(),
    });
  }
  return samples;
}

const sampled = sampleEachSecond();
await Promise.all([
  loadAndClose(),
  startWorkers(),
  ...Array.from({ length: clients }, (_, index) => client(models, randomOf(index), going, tally)),
]);
const samples = await sampled;
const unbalanced: string[] = [];
for (const [name, model] of Object.entries(models)) {
  // An aborted request is settled at once, and leaves its instance a little later.
  await until(() => model.stats().queued + model.stats().running === 0);
  const { submitted, completed, failed, cancelled, expired } = model.stats();
  if (submitted !== completed + failed + cancelled + expired) unbalanced.push(name);
}
const report: Report = {
  ...{ samples, loads, workers, unbalanced, tally, kept: kept.length },
  submitted: Object.values(models).reduce((sum, model) => sum + model.stats().submitted, 0),
};
await engine.close();
console.log(JSON.stringify(report));
