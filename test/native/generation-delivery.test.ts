/** @module How tokens and ends of generations get from the addon to those who wait for them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLibrary, loadAddon } from '../../native/binding.ts';
import { Channel } from '../../native/channel.ts';
import type { NativeGenerator } from '../../native/generation-binding.ts';
import { toNativeGenerate, toNativeGenerator } from '../../native/generation-options.ts';
import { Generations } from '../../native/generations.ts';
import { LoadedGenerator } from '../../native/generator.ts';
import { GENERATION_RUNNING, GENERATION_WORDS } from '../../native/layout.ts';
import { filesOf, input, short } from './generators.ts';
import { engineOptions, refused } from './support.ts';

/** A record of a generation: see addon/mailbox_layout.h. */
const record = (slot: number, code: number, fresh: readonly number[], ...rest: number[]) => [
  ...[slot, code, fresh.length, ...rest, ...Array(GENERATION_WORDS - 3 - rest.length).fill(0)],
  ...fresh,
];

/** The addon's side of generations, whose records and results a test scripts. */
function scripted() {
  const mail = new Float64Array(256);
  const calls: string[] = [];
  const results = new Map<number, readonly number[]>();
  let drains: number[][][] = [];
  let slots = 0;
  const native = {
    loadGenerator: () => Promise.reject(new Error('not here')),
    drainGenerations: () => {
      const records = drains.shift() ?? [];
      mail.set(records.flat());
      return records.length;
    },
    takeGeneration: (slot: number, tokens: Int32Array) => {
      calls.push(`take ${slot}`);
      tokens.set(results.get(slot) ?? []);
      return results.has(slot) ? '' : 'The step failed';
    },
    cancelGeneration: (slot: number) => calls.push(`cancel ${slot}`),
    message: () => 'The input is wrong',
  };
  const generations = new Generations(native, mail, undefined, () => calls.push('wake'));
  const target = {
    name: 'puppet',
    native: { generate: () => slots++ } as unknown as NativeGenerator,
    wake: () => {},
    submitted: () => calls.push('submitted'),
    settled: () => calls.push('settled'),
  };
  const start = () =>
    generations.start(target, new Int32Array(1), toNativeGenerate({}), undefined, undefined);
  const deliver = (...all: number[][][]) => {
    drains = all;
    generations.drain();
  };
  return { calls, deliver, generations, results, start, target };
}

describe('records of generations', () => {
  test('bring tokens of several at a time, and ends', async () => {
    const { calls, deliver, results, start } = scripted();
    const [one, two] = [start(), start()];
    const iterator = one[Symbol.asyncIterator]();
    results.set(0, [7, 8, 9, 10]);
    deliver(
      [record(0, GENERATION_RUNNING, [7, 8]), record(1, GENERATION_RUNNING, [1])],
      [record(0, 0, [9], 4, 0, Number.NaN, 1, 2, 3, 4, 5, 6), record(1, 9, [])],
    );
    assert.deepEqual((await iterator.next()).value, Int32Array.of(7, 8, 9, 10));
    assert.deepEqual(await one.result, {
      tokens: Int32Array.of(7, 8, 9, 10),
      finishReason: 'stop',
      score: undefined,
      timings: {
        ...{ queueMs: 1, computeMs: 5, prefillMs: 2, decodeMs: 3 },
        ...{ batchRows: 5, batchRequests: 6 },
      },
      steps: 4,
    });
    await refused(two.result, 'INTERNAL', /The step failed/);
    const each = ['submitted', 'wake'];
    const ended = ['take 0', 'settled', 'take 1', 'settled'];
    assert.deepEqual(calls, [...each, ...each, ...ended]);
  });

  test('of a generation that its caller has left only free its slot', async () => {
    const { calls, deliver, results, start } = scripted();
    const generation = start();
    results.set(0, []);
    generation.cancel();
    deliver([record(0, GENERATION_RUNNING, [1])], [record(0, 4, [])]);
    await refused(generation.result, 'CANCELLED');
    generation.cancel();
    assert.deepEqual(calls.slice(2), ['cancel 0', 'take 0', 'settled']);
  });

  test('are not asked for while nothing is in flight', () => {
    const { deliver, calls } = scripted();
    deliver([record(0, 0, [])]);
    assert.deepEqual(calls, []);
  });

  test('come after an early failure, which the caller sees first', async () => {
    const { deliver, generations, start } = scripted();
    const generation = start();
    generations.overdue(0, new Error('too slow'));
    generations.overdue(5, new Error('nobody'));
    await assert.rejects(generation.result, /too slow/);
    deliver([record(0, 3, [])]);
  });
});

test('a step of many generations wakes their thread once', async () => {
  const addon = loadAddon(engineOptions().addon);
  let wakeUps = 0;
  const ready = () => {
    wakeUps++;
    channel.turn();
  };
  const native = addon.open(defaultLibrary(), ready, () => {}, 1);
  const channel = new Channel(native);
  const options = toNativeGenerator(filesOf('t5'));
  for (const file of [options.decoder, options.encoder!]) {
    file.digest = (await channel.await(native.inspect(file.path))).digest;
  }
  const handle = await channel.await(native.loadGenerator(options));
  const model = new LoadedGenerator('t5', '', handle, channel, () => {});
  const before = wakeUps;
  const tokens = 20;
  const all = Array.from({ length: 8 }, () =>
    model.generate(input, { ...short, maxNewTokens: tokens }),
  );
  await Promise.all(all.map(({ result }) => result));
  const { steps } = model.stats();
  // They need not all be there when the first step begins, but have to share steps.
  assert.ok(steps >= tokens && steps < all.length * tokens, `${steps} steps`);
  // One more at the end of the turn in which they were submitted.
  const woken = wakeUps - before;
  assert.ok(woken >= 2 && woken <= steps + 1, `${woken} wake-ups for ${steps} steps`);
  await model.close();
  channel.close();
});
