/** @module Tests that jobs are the same in PostgreSQL and in the embedded database, with and without a queue in Redis. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createLog } from '../../runtime/log.ts';
import { openStore, type Store } from '../../runtime/store/index.ts';
import {
  batch,
  busy,
  done,
  ended,
  endLeases,
  failed,
  passKeeping,
  passStart,
  reaches,
  refused,
  request,
  resultsOf,
  retryNow,
  testJobs,
} from '../runtime/jobs/support.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { noRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

let postgres: TestPostgres;
let redis: TestRedis;
before(async () => {
  if (!noPostgres) postgres = await startPostgres();
  if (!noRedis) redis = await startRedis();
});
after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const openPostgres = async () =>
  openStore(
    { databaseUrl: await postgres.createDatabase(), stateDir: '/nowhere' },
    createLog('silent'),
  );

const kinds: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly open: () => Promise<Store>;
  readonly queue: () => string | undefined;
}[] = [
  { name: 'embedded', skip: false, open: testStore, queue: () => undefined },
  { name: 'PostgreSQL', skip: noPostgres, open: openPostgres, queue: () => undefined },
  {
    name: 'PostgreSQL and Redis',
    skip: noPostgres || noRedis,
    open: openPostgres,
    queue: () => redis.url,
  },
];

for (const { name, skip, open, queue } of kinds) {
  describe(`jobs: ${name}`, { skip }, () => {
    let store: Store;
    before(async () => {
      store = await open();
    });
    after(() => store.close());

    const kitOf = (respond: Parameters<typeof testJobs>[1], concurrency = 4) =>
      testJobs(store, respond, { config: { queueRedisUrl: queue(), jobConcurrency: concurrency } });

    test('jobs succeed, fail, are repeated and are listed', async () => {
      await using kit = await kitOf((body, call) => {
        if (body === '"refused"') return refused;
        if (body === '"repeated"') return call === 1 ? failed : done(call);
        return done({ body, big: 2 ** 40 });
      });
      const { jobs } = kit;
      const ids: string[] = [];
      for (const body of ['a', 'refused', 'repeated', 'é\u0000\u{1f600}']) {
        ids.push(
          (await jobs.create('owner', request(body, body === 'a' ? { idempotencyKey: 'a' } : {})))
            .id,
        );
      }
      await until(async () => {
        await retryNow(store);
        return (
          (await jobs.list('owner', { status: 'running', limit: 9, before: undefined })).length +
            (await jobs.list('owner', { status: 'queued', limit: 9, before: undefined })).length ===
          0
        );
      }, 'all have ended');
      const found = await Promise.all(ids.map((id) => ended(jobs, id)));
      assert.deepEqual(
        found.map(({ status, attempts }) => [status, attempts]),
        [
          ['succeeded', 1],
          ['failed', 1],
          ['succeeded', 2],
          ['succeeded', 1],
        ],
      );
      assert.deepEqual(JSON.parse(found[3]!.answer!), {
        body: JSON.stringify('é\u0000\u{1f600}'),
        big: 2 ** 40,
      });
      const page = await jobs.list('owner', { status: 'succeeded', limit: 2, before: undefined });
      assert.deepEqual(
        page.map(({ id }) => id),
        [ids[3], ids[2], ids[0]],
      );
      assert.ok(page[0]!.createdAt instanceof Date && page[0]!.finishedAt instanceof Date);
      const again = await jobs.create('owner', request('a', { idempotencyKey: 'a' }));
      assert.deepEqual([again.id, again.created], [ids[0], false]);
    });

    test('a batch has all results in order, also after its worker has stopped', async () => {
      const lines = Array.from({ length: 300 }, (_, i) => String(i));
      const gate = Promise.withResolvers<ReturnType<typeof done>>();
      const stuck = await kitOf((body) => (Number(body) < 128 ? done(1) : gate.promise));
      const id = await batch(stuck.jobs, lines);
      await until(async () => {
        const [row] = await store.query<{ done_lines: number }>(
          'select done_lines from jobs where id = $1',
          [id],
        );
        return row!.done_lines === 128;
      }, 'a part is done');
      const drained = stuck.jobs.drain();
      await endLeases(store);
      await using kit = await kitOf((body) => (body === '200' ? refused : done(2)));
      const results = await resultsOf(kit.jobs, id);
      assert.deepEqual(
        results.map(({ index, status, body }) => [index, status, status === 200 ? body : 0]),
        lines.map((_, i) => [i, i === 200 ? 400 : 200, i === 200 ? 0 : i < 128 ? 1 : 2]),
      );
      const { failedLines, doneLines } = await ended(kit.jobs, id);
      assert.deepEqual([doneLines, failedLines], [300, 1]);
      gate.resolve(done(3));
      await drained;
      await stuck.jobs.close();
    });

    test('a running job is cancelled at once, in whatever process it runs', async () => {
      await using worker = await kitOf(
        (_body, _call, signal) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(busy))),
      );
      await using other = await kitOf(() => done(1), 0);
      const { id } = await other.jobs.create(undefined, request('long'));
      await reaches(other.jobs, id, 'running');
      await other.jobs.cancel(undefined, id);
      await worker.jobs.drain();
      assert.equal((await ended(other.jobs, id)).status, 'cancelled');
    });

    test('jobs expire, and old ones are deleted with their lines', async () => {
      await using idle = await kitOf(() => done(1), 0);
      const { id } = await idle.jobs.create(undefined, request('late', { ttlSecs: 60 }));
      const lines = await batch(idle.jobs, ['1', '2'], { ttlSecs: 60 });
      await passStart(store);
      assert.equal((await ended(idle.jobs, id)).status, 'expired');
      assert.equal((await ended(idle.jobs, lines)).status, 'expired');
      await passKeeping(store);
      await until(
        async () => (await store.query('select id from jobs')).length === 0,
        'all are deleted',
      );
      assert.deepEqual(await store.query('select job_id from job_chunks'), []);
    });
  });
}
