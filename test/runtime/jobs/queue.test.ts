import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, before, test } from 'node:test';
import type { Redis } from 'ioredis';
import { checkPolicy } from '../../../runtime/jobs/queue.ts';
import { noRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';
import { batch, done, ended, failed, request, testJobs } from './support.ts';

const store = await testStore();
let redis: TestRedis;
before(async () => {
  if (!noRedis) redis = await startRedis({ 'maxmemory-policy': 'noeviction' });
});
after(async () => {
  await redis?.[Symbol.asyncDispose]();
  await store.close();
});

const skip = noRedis;
const config = () => ({ queueRedisUrl: redis.url });

test('jobs come to a worker through Redis', { skip }, async () => {
  await using kit = await testJobs(store, () => done(1), { config: config() });
  const ids: string[] = [];
  for (let i = 0; i < 20; i += 1) ids.push((await kit.jobs.create(undefined, request(i))).id);
  ids.push(await batch(kit.jobs, ['100', '101']));
  for (const id of ids) assert.equal((await ended(kit.jobs, id)).attempts, 1);
  const rows = await store.query('select id from jobs where dispatched_at is null');
  assert.deepEqual(rows, []);
  assert.equal(new Set(kit.routes.bodies).size, 22);
});

test('a job that failed comes again', { skip }, async () => {
  await using kit = await testJobs(store, (_body, call) => (call < 3 ? failed : done(call)), {
    config: config(),
  });
  const { id } = await kit.jobs.create(undefined, request('again'));
  await until(async () => {
    // Half a second passes between attempts.
    await store.query(
      "update jobs set run_after = now() where status = 'queued' and run_after > now()",
    );
    return (
      (await kit.jobs.find(undefined, id, 0, new AbortController().signal)).status === 'succeeded'
    );
  }, 'the job has succeeded');
  assert.equal((await ended(kit.jobs, id)).attempts, 3);
});

test('jobs are stored while Redis is away, and run when it is back or after a while', {
  skip,
}, async () => {
  await redis.kill();
  await using kit = await testJobs(store, () => done(1), { config: config() });
  const { id } = await kit.jobs.create(undefined, request('away'));
  // It has waited for long, so it is taken from the database.
  await store.query("update jobs set run_after = now() - interval '1 hour' where id = $1", [id]);
  assert.equal((await ended(kit.jobs, id)).status, 'succeeded');
  const later = await kit.jobs.create(undefined, request('later'));
  await redis.start();
  assert.equal((await ended(kit.jobs, later.id)).status, 'succeeded');
  const [row] = await store.query('select dispatched_at from jobs where id = $1', [later.id]);
  assert.ok(row!.dispatched_at instanceof Date);
});

test('a Redis that may drop jobs stops the start', { skip }, async () => {
  await using evicting = await startRedis({ 'maxmemory-policy': 'allkeys-lru' });
  await assert.rejects(
    testJobs(store, () => done(1), { config: { queueRedisUrl: evicting.url } }),
    { code: 'INVALID_CONFIG', message: /has maxmemory-policy allkeys-lru/ },
  );
});

test('a Redis that is away is not waited for, and leaves no listener behind', async () => {
  const client = Object.assign(new EventEmitter(), { status: 'connecting' });
  const checked = checkPolicy(client as unknown as Redis);
  client.emit('error', new Error('ECONNREFUSED'));
  await assert.rejects(checked, { code: 'STORE_UNAVAILABLE' });
  assert.deepEqual(client.eventNames(), []);
});
