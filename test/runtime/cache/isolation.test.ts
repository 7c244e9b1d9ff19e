/** Properties of the whole cache: whatever requests come in whatever order, each gets the results of its own inputs. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CancelSignal, RunResult } from '../../../native/index.ts';
import { MemoryTier } from '../../../runtime/cache/memory.ts';
import { packEntry, unpackEntry } from '../../../runtime/cache/packed-entry.ts';
import { RedisTier } from '../../../runtime/cache/redis-tier.ts';
import { RequestMemory } from '../../../runtime/cache/request-memory.ts';
import { type CacheEntry, createEntry, entryBytes } from '../../../runtime/cache/results.ts';
import { tenantOf } from '../../../runtime/cache/tenant.ts';
import type { RequestRedis } from '../../../runtime/redis.ts';
import { inputs, principal, tensor, text, texts } from './arbitraries.ts';
import { fakeVersion, floats, saying, testCache, textOf } from './support.ts';

const few = fc.constantFrom('a', 'b');

/** Versions that differ in any one of the parts of their keys, among them copies that differ in none. */
const version = fc
  .record({
    model: few,
    version: few,
    digest: few,
    config: few.map((input) => ({ input })),
    device: few,
  })
  .map((parts) => ({ version: fakeVersion(parts), identity: JSON.stringify(parts) }));

const ask = fc.record({
  of: version,
  principal,
  input: fc.nat(2),
  output: fc.option(few, { nil: undefined }),
  control: fc.constantFrom(undefined, undefined, undefined, 'no-cache', 'no-store'),
  laterMs: fc.constantFrom(0, 0, 1000, 4000),
  /** Whether the response is waited for before the next request comes. */
  isAlone: fc.boolean(),
});

/** A Redis with one place, so that every entry is found under every key. */
function onePlace(): RequestRedis {
  let stored: Uint8Array | undefined;
  return {
    usable: true,
    get: async () => stored,
    async set(_key: string, value: Uint8Array) {
      stored = value;
      return true;
    },
    close() {},
  } as unknown as RequestRedis;
}

type Value<T> = T extends fc.Arbitrary<infer V> ? V : never;

/** Sends requests to a cache, and checks that each gets what a run for it would say. */
async function checkIsolation(asks: readonly Value<typeof ask>[], redis?: RedisTier) {
  const cache = testCache({ ttlSecs: 5, ...(redis && { redis }) });
  const answers: Promise<void>[] = [];
  for (const { of, principal, input, output, control, laterMs, isAlone } of asks) {
    cache.now += laterMs;
    const expected = JSON.stringify([of.identity, tenantOf(principal), input, output ?? null]);
    const answer = cache.ask({
      version: of.version,
      inputs: floats(input),
      ...(principal && { principal }),
      ...(output && { outputs: [output] }),
      ...(control && { control }),
      run: async () => saying(expected),
    });
    const checked = answer.then((given) => {
      assert.equal(textOf(given), expected);
      assert.ok((given.cache!.ageSecs ?? 0) < 5);
    });
    answers.push(checked);
    if (isAlone) await checked;
  }
  await Promise.all(answers);
}

describe('isolation', () => {
  test('no answer crosses model, version, artifact, preprocessing, device, tenant, inputs or outputs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ask, { maxLength: 40 }), (asks) => checkIsolation(asks)),
      { numRuns: 200 },
    );
  });

  test('no answer crosses either if all keys have the same place in Redis', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ask, { maxLength: 40 }), (asks) =>
        checkIsolation(asks, new RedisTier(onePlace(), { add() {} })),
      ),
      { numRuns: 100 },
    );
  });

  test('entries whose hashes are equal are never taken for each other', () => {
    const key = fc.uint8Array({ maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 30 }), (steps) => {
        const memory = new MemoryTier(1e6);
        for (const [bytes, isSet] of steps) {
          const found = memory.get({ hash: 'same', bytes });
          if (found !== undefined) assert.equal(textOf({ ...found } as never), String(bytes));
          if (isSet) memory.set('same', createEntry(bytes, [saying(String(bytes))], 0));
        }
      }),
    );
  });
});

/** Results with every type of output. */
const result: fc.Arbitrary<RunResult> = fc
  .record({
    outputs: fc.dictionary(text, fc.oneof(tensor, texts), { maxKeys: 3, noNullPrototype: true }),
    packed: fc.option(fc.dictionary(text, texts, { maxKeys: 2, noNullPrototype: true }), {
      nil: undefined,
    }),
    computeMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  .map(({ outputs, packed, computeMs }) => {
    const timings = { queueMs: 0, computeMs, batchRows: 1, batchRequests: 1 };
    if (packed === undefined) return { outputs, timings };
    const bytes = new Uint8Array([1, 0, 0, 0, 65]);
    const packedStrings = Object.fromEntries(
      Object.keys(packed).map((name) => [
        name,
        { type: 'string', dims: [1], data: bytes } as const,
      ]),
    );
    return { outputs, packedStrings, timings };
  });

const entry: fc.Arbitrary<CacheEntry> = fc
  .record({ key: fc.uint8Array(), results: fc.array(result, { maxLength: 2 }), at: fc.nat() })
  .map(({ key, results, at }) => createEntry(key, results, at));

describe('entries', () => {
  test('an entry is the same after it was packed, also inside larger memory', () => {
    fc.assert(
      fc.property(entry, fc.nat(9), (given, shift) => {
        const packed = packEntry(given);
        const memory = new Uint8Array(packed.length + shift);
        memory.set(packed, shift);
        assert.deepEqual(unpackEntry(memory.subarray(shift)), given);
      }),
      { numRuns: 300 },
    );
  });

  test('bytes that were cut short, made longer or replaced are no entry, or one that can be read', () => {
    const damage = fc.record({ cut: fc.nat(40), more: fc.nat(3), at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(entry, damage, (given, { cut, more, at, byte }) => {
        const packed = packEntry(given);
        assert.equal(unpackEntry(packed.subarray(0, packed.length - 1 - cut)), undefined);
        assert.equal(unpackEntry(Buffer.concat([packed, new Uint8Array(more + 1)])), undefined);
        packed[at % packed.length] = byte;
        const found = unpackEntry(packed);
        if (found !== undefined) assert.ok(entryBytes(found) > 0);
      }),
      { numRuns: 300 },
    );
  });

  test('memory never holds more bytes than it may', () => {
    const sizes = fc.array(fc.tuple(fc.nat(9), fc.nat(4000)), { maxLength: 60 });
    fc.assert(
      fc.property(sizes, fc.nat(9000), (steps, maxBytes) => {
        const memory = new MemoryTier(maxBytes);
        for (const [hash, length] of steps) {
          const key = new Uint8Array(length);
          const added = createEntry(key, [], 0);
          memory.set(String(hash), added);
          assert.ok(memory.bytes <= maxBytes);
          const found = memory.get({ hash: String(hash), bytes: key });
          assert.equal(found, entryBytes(added) <= maxBytes ? added : undefined);
        }
      }),
    );
  });
});

test('every request that does not give up gets the results of one run, in whatever order others give up', async () => {
  const order = fc.array(fc.nat(9), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 10 }), order, async (count, leaving) => {
      const cache = testCache();
      const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
      const run = (signal: CancelSignal | undefined) => {
        signal!.addEventListener('abort', () => reject(signal!.reason));
        return promise;
      };
      const callers = Array.from({ length: count }, () => new AbortController());
      const asks = callers.map(({ signal }) => cache.ask({ run, signal }));
      const settled = Promise.allSettled(asks);
      await new Promise((next) => setImmediate(next));
      for (const who of leaving) callers[who]?.abort('gone');
      resolve(saying('shared'));
      for (const [who, outcome] of (await settled).entries()) {
        const isGone = leaving.includes(who);
        assert.equal(outcome.status, isGone ? 'rejected' : 'fulfilled');
        if (outcome.status === 'fulfilled') assert.equal(textOf(outcome.value), 'shared');
      }
      assert.equal(cache.runs(), 1);
    }),
  );
});

test('a remembered text means what reading it would say, whatever was remembered before', () => {
  const step = fc.record({
    text: fc.string({ maxLength: 2 }),
    state: fc.nat(2),
    isOn: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.nat(20_000), (steps, maxBytes) => {
      const states = [{}, {}, {}];
      let isOn = true;
      const memory = new RequestMemory<{ says: string }>(maxBytes, () => isOn);
      for (const step of steps) {
        isOn = step.isOn;
        const says = `${step.text} in ${step.state}`;
        const meaning = memory.meaning(step.text, states[step.state], () => ({ says }));
        assert.deepEqual(meaning, { says });
      }
    }),
  );
});

test('any inputs can be asked for', async () => {
  await fc.assert(
    fc.asyncProperty(inputs, async (given) => {
      const cache = testCache();
      await cache.ask({ inputs: given });
      assert.equal((await cache.ask({ inputs: structuredClone(given) })).cache!.state, 'hit');
    }),
  );
});
