/**
 * A process under mixed load on several models, while other models are loaded and released and Workers start and end.
 * It is forked with the number of seconds as its argument, and sends a `Report` when they are over. For each name of a
 * kind of request that it then gets it sends what one takes, until its parent disconnects.
 *
 * A second argument makes a fault that the checks must find: `leak` keeps what should be released, `native` does so in native
 * code, and with `slower` each request takes longer than the one before.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fixture, float32, open, until } from '../native/support.ts';
import { startWorker } from '../native/worker.ts';
import type { Report, Sample } from './check.ts';
import { client, type Kind, kinds, LOADING, loadModels, randomOf, type Tally } from './load.ts';
import { bytesInUse, leakNative, RuntimeMemory, releaseFreeMemory } from './memory.ts';

const seconds = Number(process.argv[2]);
const fault = process.argv[3];
const clients = 12;

const runtime = new RuntimeMemory();

const engine = open();
const models = await loadModels(engine);
const tally: Tally = { started: 0, fulfilled: 0, rejected: 0, wrong: [] };
let loads = 0;
let workers = 0;
const kept: unknown[] = [];

/** Looks through everything that was kept, as code does that forgets to remove its listeners. */
function slower(kind: Kind): Kind {
  return {
    ...kind,
    send(...parameters) {
      kept.push(parameters);
      assert.ok(!kept.includes(kind));
      return kind.send(...parameters);
    },
  };
}

const sent = fault === 'slower' ? kinds.map(slower) : kinds;

async function loadAndClose(): Promise<'fulfilled'> {
  const batching = { maxQueue: 100 + ((loads / 2) % 50) };
  const model = await engine.load({ path: fixture('two-in-two-out'), warmupMs: 0, batching });
  const other = await engine.load({ path: fixture('identity-float32'), warmupMs: 0, batching });
  await other.run({ x: float32([loads, 1, 2]) });
  await Promise.all([model.close(), other.close()]);
  loads += 2;
  return 'fulfilled';
}

async function startAndEndWorker(): Promise<void> {
  const worker = startWorker('../soak/worker.fixture.ts', undefined);
  const exit = once(worker, 'exit');
  await once(worker, 'message');
  await worker.terminate();
  await exit;
  workers++;
}

const randoms = Array.from({ length: clients }, (_, index) => randomOf(index));

async function loadForASecond(): Promise<void> {
  const end = performance.now() + 1000;
  const going = () => performance.now() < end;
  const repeat = async (step: () => Promise<unknown>, pauseMs: number) => {
    while (going()) {
      await step();
      await delay(pauseMs);
    }
  };
  await Promise.all([
    repeat(loadAndClose, 20),
    repeat(startAndEndWorker, 200),
    ...randoms.map((random) => client(sent, models, random, going, tally)),
  ]);
}

function sample(): Sample {
  // Several times the amount by which memory varies without a leak.
  if (fault === 'leak') kept.push(new Uint8Array(16 << 20).fill(1));
  // In small pieces, as they are found only by what the C library counts.
  if (fault === 'native') for (let i = 0; i < 5000; i++) leakNative(64);
  Bun.gc(true);
  releaseFreeMemory();
  const { heapUsed, external } = process.memoryUsage();
  return {
    seconds: performance.now() / 1000,
    ...runtime.measure(),
    nativeHeap: bytesInUse(),
    jsHeap: heapUsed + external,
  };
}

async function soak(): Promise<Report> {
  const samples: Sample[] = [];
  for (let second = 0; second < seconds; second++) {
    await loadForASecond();
    samples.push(sample());
  }
  const unbalanced: string[] = [];
  for (const [name, model] of Object.entries(models)) {
    // An aborted request is settled at once, and leaves its instance a little later.
    await until(() => model.stats().queued + model.stats().running === 0);
    const { submitted, completed, failed, cancelled, expired } = model.stats();
    if (submitted !== completed + failed + cancelled + expired) unbalanced.push(name);
  }
  return { samples, loads, workers, unbalanced, tally };
}

/** Sends as many requests of a kind at a time as the mixed load does. */
async function sendAll({ measured, send }: Kind): Promise<void> {
  const random = randomOf(clients);
  for (let count = 0; count < measured; count += clients) {
    await Promise.all(Array.from({ length: clients }, () => send(models, random)));
  }
}

const loading: Kind = { name: LOADING, share: 0, measured: clients, send: loadAndClose };

/** Microseconds of CPU time of one request. */
async function costOf(name: string): Promise<number> {
  const kind = [...sent, loading].find((one) => one.name === name)!;
  Bun.gc(true);
  const before = process.cpuUsage();
  await sendAll(kind);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / kind.measured;
}

process.send!(await soak());
process.on('message', async (name: string) => process.send!(await costOf(name)));
process.on('disconnect', () => void engine.close());
