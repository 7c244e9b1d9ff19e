import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MillraceError } from '../../../native/errors.ts';
import type { CancelSignal, RunResult } from '../../../native/index.ts';
import type { CacheAnswer } from '../../../runtime/cache/index.ts';
import { fakeVersion, floats, saying, type TestCache, testCache, textOf } from './support.ts';

const stateOf = ({ cache }: CacheAnswer) => cache?.state;

/** A run that ends when the test says so, or when its signal aborts. */
function slowRun() {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const signals: CancelSignal[] = [];
  const run = (signal: CancelSignal | undefined) => {
    signals.push(signal!);
    signal!.addEventListener('abort', () => reject(signal!.reason));
    return promise;
  };
  return { run, resolve, reject, signals };
}

/** Lets every step that waits for no run happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('what is cached', () => {
  test('a second request with the same inputs is a hit of the same results, with their age', async () => {
    const cache = testCache();
    const first = await cache.ask();
    assert.deepEqual(first.cache, { state: 'miss' });
    assert.equal(first.timings.computeMs, 2);
    cache.now += 2900;
    const second = await cache.ask();
    assert.deepEqual(second.cache, { state: 'hit', ageSecs: 2 });
    assert.equal(second.results, first.results);
    assert.deepEqual(second.timings, { queueMs: 0, computeMs: 0, batchRows: 0, batchRequests: 0 });
    assert.equal(cache.runs(), 1);
    assert.deepEqual(cache.counted, { 'misses.memory': 1, 'hits.memory': 1 });
  });

  test('results expire with the TTL', async () => {
    const cache = testCache({ ttlSecs: 10 });
    await cache.ask();
    cache.now += 9999;
    assert.equal(stateOf(await cache.ask()), 'hit');
    cache.now += 1;
    assert.equal(stateOf(await cache.ask()), 'miss');
  });

  test('errors are not cached', async () => {
    const cache = testCache();
    const fails = () => Promise.reject(new MillraceError('INTERNAL', 'broken'));
    await assert.rejects(cache.ask({ run: fails }), { code: 'INTERNAL' });
    assert.equal(stateOf(await cache.ask()), 'miss');
    assert.equal(stateOf(await cache.ask()), 'hit');
  });

  for (const [what, first, second] of [
    ['inputs', { inputs: floats(1) }, { inputs: floats(2) }],
    ['wanted outputs', { outputs: ['a'] }, { outputs: ['b'] }],
    ['a tenant', { principal: { subject: 'a' } }, { principal: { subject: 'b' } }],
    ['nobody', { principal: { subject: 'a' } }, {}],
    ['a version', {}, { version: fakeVersion({ version: '2' }) }],
    ['an artifact', {}, { version: fakeVersion({ digest: 'e' }) }],
    ['preprocessing', {}, { version: fakeVersion({ config: { features: ['a'] } }) }],
    ['a device', {}, { version: fakeVersion({ device: 'cuda:0' }) }],
  ] as const) {
    test(`a request with other ${what} is a miss`, async () => {
      const cache = testCache();
      await cache.ask(first);
      assert.equal(stateOf(await cache.ask(second)), 'miss');
      assert.equal(textOf(await cache.ask(first)), 'run 1');
      assert.equal(textOf(await cache.ask(second)), 'run 2');
    });
  }

  test('settings that change no output keep the results', async () => {
    const cache = testCache();
    await cache.ask();
    const config = { traffic: { 1: 1 }, version_labels: { stable: '1' }, default: true, weight: 2 };
    assert.equal(stateOf(await cache.ask({ version: fakeVersion({ config }) })), 'hit');
  });

  test('a request that is too large to be cached is made anyway', async () => {
    const cache = testCache();
    const data = new Uint8Array(9 * 1024 * 1024);
    const inputs = { x: { type: 'uint8', dims: [data.length], data } } as const;
    for (const says of ['run 1', 'run 2']) {
      const answer = await cache.ask({ inputs });
      assert.deepEqual([answer.cache, textOf(answer)], [{ state: 'bypass' }, says]);
    }
  });

  test('outputs that are views of larger memory are copied', async () => {
    const cache = testCache();
    const data = new Float32Array(1000).subarray(10, 12);
    const result = { ...saying(''), outputs: { y: { type: 'float32', dims: [2], data } } } as const;
    const { results } = await cache.ask({ run: async () => result });
    assert.equal((results[0]!.outputs.y!.data as Float32Array).buffer.byteLength, 8);
  });
});

describe('settings', () => {
  const stated = (cache: object) => fakeVersion({ config: { cache } });

  test('without CACHE_TTL a version is cached only if its model.json says so', async () => {
    const { cache, ask } = testCache({ ttlSecs: 0 });
    assert.equal(cache.scopeOf(fakeVersion()), undefined);
    assert.equal(stateOf(await ask({ version: stated({ ttl_seconds: 5 }) })), 'miss');
  });

  test('model.json overrides CACHE_TTL, also to turn the cache off', () => {
    const { cache } = testCache({ ttlSecs: 60 });
    assert.equal(cache.scopeOf(stated({ ttl_seconds: 0 })), undefined);
    assert.equal(cache.scopeOf(stated({ ttl_seconds: 5 }))?.ttlMs, 5000);
  });

  test('versions of one model.json share its max_bytes, and no others', () => {
    const { cache } = testCache();
    const config = { cache: { ttl_seconds: 5, max_bytes: 1000 } };
    const memory = (version: string, of: object) =>
      cache.scopeOf(fakeVersion({ version, config: of }))!.memory;
    assert.equal(memory('1', config), memory('2', config));
    assert.notEqual(memory('1', config), memory('1', structuredClone(config)));
    assert.equal(memory('1', {}), memory('2', {}));
  });

  test('with a maximum of 0 bytes nothing stays in memory', async () => {
    const cache = testCache({ maxBytes: 0 });
    await cache.ask();
    assert.equal(stateOf(await cache.ask()), 'miss');
  });
});

describe('Cache-Control', () => {
  test('no-store neither finds nor leaves results', async () => {
    const cache = testCache();
    assert.deepEqual((await cache.ask({ control: 'no-store' })).cache, { state: 'bypass' });
    assert.equal(textOf(await cache.ask()), 'run 2');
    assert.equal(textOf(await cache.ask({ control: 'no-store' })), 'run 3');
    assert.equal(textOf(await cache.ask()), 'run 2');
  });

  test('no-cache finds no results, and leaves new ones', async () => {
    const cache = testCache();
    await cache.ask();
    const fresh = await cache.ask({ control: 'max-age=3, No-Cache' });
    assert.equal(stateOf(fresh), 'miss');
    assert.equal(textOf(await cache.ask()), 'run 2');
  });

  test('no-cache does not wait for a run that began before, which does not replace its results', async () => {
    const cache = testCache();
    const old = slowRun();
    const first = cache.ask({ run: old.run });
    await settle();
    assert.equal(textOf(await cache.ask({ control: 'no-cache' })), 'run 2');
    old.resolve(saying('old'));
    assert.equal(textOf(await first), 'old');
    assert.equal(textOf(await cache.ask()), 'run 2');
  });

  test('other directives, and parts of names, have no effect', async () => {
    const cache = testCache();
    await cache.ask();
    for (const control of ['max-age=0', 'xno-store', 'no-store-x', '', ', ,']) {
      assert.equal(stateOf(await cache.ask({ control })), 'hit', control);
    }
  });
});

describe('single flight', () => {
  /** Starts requests of the same key, of which the first runs. */
  async function together(cache: TestCache, count: number, run: ReturnType<typeof slowRun>['run']) {
    const asks = Array.from({ length: count }, () => {
      const controller = new AbortController();
      const answer = cache.ask({ run, signal: controller.signal });
      answer.catch(() => {});
      return { answer, abort: () => controller.abort(new Error('gone')) };
    });
    await settle();
    return asks;
  }

  test('requests at the same time share one run', async () => {
    const cache = testCache();
    const { run, resolve } = slowRun();
    const asks = await together(cache, 3, run);
    resolve(saying('shared'));
    const answers = await Promise.all(asks.map(({ answer }) => answer));
    assert.deepEqual(answers.map(stateOf), ['miss', 'hit', 'hit']);
    assert.deepEqual(answers.map(textOf), ['shared', 'shared', 'shared']);
    assert.deepEqual(answers[1]!.cache, { state: 'hit', ageSecs: 0 });
    assert.equal(answers[1]!.timings.computeMs, 2);
    assert.equal(cache.runs(), 1);
    assert.deepEqual(cache.counted, { 'misses.memory': 1, 'hits.memory': 2 });
  });

  for (const [who, gone] of [
    ['a request that waits', 1],
    ['the request that started the run', 0],
  ] as const) {
    test(`${who} gives up without the others`, async () => {
      const cache = testCache();
      const { run, resolve, signals } = slowRun();
      const asks = await together(cache, 3, run);
      asks[gone]!.abort();
      await assert.rejects(asks[gone]!.answer, { message: 'gone' });
      assert.equal(signals[0]!.aborted, false);
      resolve(saying('shared'));
      const others = asks.filter((_, index) => index !== gone);
      for (const { answer } of others) assert.equal(textOf(await answer), 'shared');
      assert.equal(cache.runs(), 1);
    });
  }

  test('the run is cancelled when the last request gives up, and is not joined any more', async () => {
    const cache = testCache();
    const { run, signals } = slowRun();
    const asks = await together(cache, 2, run);
    asks[0]!.abort();
    assert.equal(signals[0]!.aborted, false);
    asks[1]!.abort();
    assert.equal(signals[0]!.aborted, true);
    assert.equal(textOf(await cache.ask()), 'run 2');
  });

  test('a request that is already given up starts no run that goes on', async () => {
    const cache = testCache();
    const { run, signals } = slowRun();
    const signal = AbortSignal.abort(new Error('gone'));
    await assert.rejects(cache.ask({ run, signal }), { message: 'gone' });
    await settle();
    assert.equal(signals[0]?.aborted ?? true, true);
  });

  test('a failure is that of all requests', async () => {
    const cache = testCache();
    const { run, reject } = slowRun();
    const asks = await together(cache, 2, run);
    reject(new MillraceError('INTERNAL', 'broken'));
    for (const { answer } of asks) await assert.rejects(answer, { code: 'INTERNAL' });
    assert.equal(cache.runs(), 1);
  });

  test('a request with more time runs itself when the deadline of the first one passes', async () => {
    const cache = testCache();
    const { run, reject } = slowRun();
    const [first] = await together(cache, 1, run);
    const second = cache.ask({ timeoutMs: 60_000 });
    const third = cache.ask();
    reject(new MillraceError('DEADLINE_EXCEEDED', 'too late'));
    await assert.rejects(first!.answer, { code: 'DEADLINE_EXCEEDED' });
    assert.deepEqual((await Promise.all([second, third])).map(textOf), ['run 2', 'run 2']);
  });

  test('a request does not wait longer than its own deadline', async () => {
    const cache = testCache();
    const { run, resolve } = slowRun();
    const [first] = await together(cache, 1, run);
    await assert.rejects(cache.ask({ timeoutMs: 5 }), { code: 'DEADLINE_EXCEEDED' });
    resolve(saying('late'));
    assert.equal(textOf(await first!.answer), 'late');
  });

  test('an urgent request does not wait for a run of a less urgent one', async () => {
    const cache = testCache();
    const { run, resolve } = slowRun();
    const slow = cache.ask({ run, priority: 2 });
    await settle();
    const equal = cache.ask({ priority: 2 });
    assert.equal(textOf(await cache.ask({ priority: 1 })), 'run 2');
    resolve(saying('slow'));
    assert.deepEqual((await Promise.all([slow, equal])).map(textOf), ['slow', 'slow']);
  });
});
