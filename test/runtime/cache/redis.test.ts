/** The second tier with a real Redis, and with one that is down, slow, silent, full or read-only. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { RedisTier } from '../../../runtime/cache/redis-tier.ts';
import { createLog } from '../../../runtime/index.ts';
import { RequestRedis } from '../../../runtime/redis.ts';
import { noRedis, startRedis } from '../../support/redis.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';
import { countingMetrics, floats, saying, testCache, textOf } from './support.ts';

/** Much less than a Redis needs that is slow in these tests, and much more than a request may wait for it. */
const SOON_MS = 1500;
const SLOW_MS = 2000;

/** The limit of a Redis that is meant to be in time, however busy the machine is. */
const PATIENT_MS = 15_000;

/** A cache of a process with this Redis. */
async function cacheOver(port: number, limitMs?: number) {
  const lines: { level: number; msg: string }[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const counted: Record<string, number> = {};
  const { redisFailures } = countingMetrics(counted);
  const onFailure = () => redisFailures.add();
  const redis = await RequestRedis.open(`redis://127.0.0.1:${port}`, log, limitMs, onFailure);
  const tier = new RedisTier(redis, redisFailures);
  const cache = testCache({ redis: tier, counted });
  return {
    redis,
    cache,
    counted,
    lines,
    usable: () => until(() => redis.usable, 'Redis is used'),
    /** Sends a request that is in no memory, and returns how it was served and how long it took. */
    async ask(input: number) {
      const started = performance.now();
      const answer = await cache.ask({ inputs: floats(input) });
      const ms = performance.now() - started;
      return { state: answer.cache!.state, says: textOf(answer), ms };
    },
    [Symbol.dispose]: () => redis.close(),
  };
}

describe('two processes with one Redis', { skip: noRedis }, () => {
  test('share results, whose age counts from their run', async () => {
    await using server = await startRedis();
    using one = await cacheOver(server.port, PATIENT_MS);
    using two = await cacheOver(server.port, PATIENT_MS);
    await Promise.all([one.usable(), two.usable()]);
    await one.cache.ask({ run: async () => saying('by one') });
    two.cache.now += 7000;
    await until(
      async () => (await two.cache.ask()).cache!.state === 'hit',
      'the results are shared',
    );
    assert.equal(two.counted['hits.redis'], 1);
    const answer = await two.cache.ask();
    assert.equal(textOf(answer), 'by one');
    assert.deepEqual(answer.cache, { state: 'hit', ageSecs: 7 });
    assert.equal(two.counted['hits.memory'], 1);
  });

  test('expired results, damaged bytes and results for another key are not used', async () => {
    await using server = await startRedis();
    using one = await cacheOver(server.port, PATIENT_MS);
    await one.usable();
    const tier = new RedisTier(one.redis, { add() {} });
    const key = { hash: 'h', bytes: Uint8Array.of(1) };
    const stored = async (bytes: string) => {
      await one.redis.set('millrace:cache:1:h', Buffer.from(bytes), 60_000);
      return tier.get(key);
    };
    assert.equal(await stored(''), undefined);
    assert.equal(await stored('not an entry'), undefined);
    const entry = { key: Uint8Array.of(2), results: [], storedAt: 0 };
    tier.set('h', entry, 60_000);
    assert.equal(await tier.get(key), undefined);
    assert.deepEqual(await tier.get({ hash: 'h', bytes: Uint8Array.of(2) }), entry);
    tier.set('h', entry, 1);
    await until(
      async () => (await tier.get({ hash: 'h', bytes: entry.key })) === undefined,
      'expiry',
    );
  });
});

describe('faults', { skip: noRedis }, () => {
  test('a Redis that is down at the start costs nothing, and is used when it comes', async () => {
    await using server = await startRedis();
    await server.kill();
    using process = await cacheOver(server.port, PATIENT_MS);
    assert.equal((await process.ask(1)).state, 'miss');
    await until(() => process.counted.failures! >= 2, 'two attempts to connect are counted');
    assert.equal(process.counted['misses.redis'], undefined);
    const logged = () => process.lines.map(({ level, msg }) => [level, msg.slice(0, 45)]);
    assert.deepEqual(logged(), [[40, 'The Redis of REDIS_URL cannot be used, and is']]);
    assert.match(JSON.stringify(process.lines), /ECONNREFUSED.*correct REDIS_URL/);
    await server.start();
    await process.usable();
    assert.deepEqual(logged()[1], [30, 'Redis is used']);
    assert.equal((await process.ask(2)).state, 'miss');
    assert.equal(process.counted['misses.redis'], 1);
  });

  test('a Redis that wants a password is reported once, and each refusal is counted', async () => {
    await using server = await startRedis();
    const admin = connect(server.port, '127.0.0.1').end('CONFIG SET requirepass secret\r\n');
    await once(admin.resume(), 'close');
    using process = await cacheOver(server.port, PATIENT_MS);
    await until(() => process.counted.failures! >= 2, 'two refusals are counted');
    assert.equal((await process.ask(1)).state, 'miss');
    assert.equal(process.lines.length, 1);
    assert.match(JSON.stringify(process.lines), /NOAUTH.*cannot be used/);
  });

  test('a Redis that is killed and started again is used again', async () => {
    await using server = await startRedis();
    using process = await cacheOver(server.port, PATIENT_MS);
    await process.usable();
    await server.kill();
    for (const input of [1, 2, 3]) assert.equal((await process.ask(input)).state, 'miss');
    await until(() => !process.redis.usable, 'the end is noticed');
    assert.equal((await process.ask(1)).state, 'hit');
    await server.start();
    await process.usable();
    const logged = process.lines.map(({ msg }) => msg);
    assert.deepEqual(logged, [
      'Redis is used',
      'Redis does not respond in time and is not asked until it does',
      'Redis is used',
    ]);
  });

  for (const [how, begin, end] of [
    [
      'needs two seconds',
      (proxy: TcpProxy) => Object.assign(proxy, { latencyMs: SLOW_MS / 2 }),
      (proxy: TcpProxy) => Object.assign(proxy, { latencyMs: 0 }),
    ],
    [
      'is silent',
      (proxy: TcpProxy) => Object.assign(proxy, { blackhole: true }),
      (proxy: TcpProxy) => Object.assign(proxy, { blackhole: false }),
    ],
  ] as const) {
    test(`a Redis that ${how} costs one command, then none until it responds in time`, async () => {
      await using server = await startRedis();
      await using proxy = await TcpProxy.open(server.port);
      using process = await cacheOver(proxy.port);
      await process.usable();
      begin(proxy);
      const first = await Promise.all([process.ask(1), process.ask(2)]);
      for (const { state, ms } of first) {
        assert.equal(state, 'miss');
        assert.ok(ms < SOON_MS, `it took ${ms} ms`);
      }
      assert.equal(process.redis.usable, false);
      const { failures } = process.counted;
      for (const input of [3, 4, 5]) assert.equal((await process.ask(input)).state, 'miss');
      assert.equal(process.counted.failures, failures);
      end(proxy);
      let input = 6;
      await until(async () => {
        input += 1;
        await process.ask(input);
        return process.counted['misses.redis'] !== undefined;
      }, 'Redis is asked again');
    });
  }

  test('connections that break cost no response', async () => {
    await using server = await startRedis();
    await using proxy = await TcpProxy.open(server.port);
    using process = await cacheOver(proxy.port);
    for (let round = 1; round <= 2; round += 1) {
      await process.usable();
      const asks = Array.from({ length: 5 }, (_, i) => process.ask(10 * round + i));
      proxy.cut();
      for (const { state } of await Promise.all(asks)) assert.equal(state, 'miss');
      const outages = () => process.lines.filter(({ msg }) => msg.includes('not asked')).length;
      await until(() => outages() >= round, 'the cut is noticed');
    }
    await process.usable();
  });

  for (const [what, options] of [
    ['is a replica', { replicaof: '127.0.0.1 1' }],
    ['is full', { maxmemory: '1', 'maxmemory-policy': 'noeviction' }],
  ] as const) {
    test(`a Redis that ${what} is read and not written to`, async () => {
      await using server = await startRedis(options);
      using process = await cacheOver(server.port, PATIENT_MS);
      await process.usable();
      assert.equal((await process.ask(1)).state, 'miss');
      await until(() => process.counted.failures === 1, 'Redis refuses to store');
      assert.equal((await process.ask(2)).state, 'miss');
      assert.equal(process.redis.usable, true);
      assert.equal(process.counted['misses.redis'], 2);
      assert.equal((await process.ask(1)).state, 'hit');
    });
  }

  test('a Redis that begins to want a password is not used any more', async () => {
    await using server = await startRedis();
    await using proxy = await TcpProxy.open(server.port);
    using process = await cacheOver(proxy.port);
    await process.usable();
    const admin = connect(server.port, '127.0.0.1').end('CONFIG SET requirepass secret\r\n');
    await once(admin.resume(), 'close');
    proxy.cut();
    await until(() => proxy.connections > 0, 'it connects again');
    assert.equal((await process.ask(1)).state, 'miss');
    assert.equal(process.redis.usable, false);
  });
});
