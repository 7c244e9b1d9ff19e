import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { keepReceiving } from '../../../runtime/jobs/chunk-table.ts';
import { dropBatch, insertJob } from '../../../runtime/jobs/job-table.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';
import {
  batch,
  busy,
  done,
  ended,
  endLeases,
  failed,
  never,
  reaches,
  refused,
  request,
  resultsOf,
  testJobs,
} from './support.ts';

const store = await testStore();
after(() => store.close());

const lines = (count: number) => Array.from({ length: count }, (_, i) => JSON.stringify({ i }));

test('the lines of a batch run at the same time, and their results come in order', async () => {
  await using kit = await testJobs(store, async (body) => {
    // Later lines of a chunk are answered first.
    for (let turns = JSON.parse(body).i % 4; turns < 4; turns += 1) await null;
    return done(JSON.parse(body).i);
  });
  const id = await batch(kit.jobs, lines(500));
  const results = await resultsOf(kit.jobs, id);
  assert.deepEqual(
    results,
    lines(500).map((_, i) => ({ index: i, status: 200, body: i })),
  );
  const job = await ended(kit.jobs, id);
  assert.deepEqual(
    [job.status, job.lines, job.doneLines, job.failedLines],
    ['succeeded', 500, 500, 0],
  );
  assert.equal(kit.routes.most, 64);
  assert.deepEqual(await store.query('select chunk from job_chunks where input is not null'), []);
});

test('a bad line fails alone', async () => {
  await using kit = await testJobs(store, (body) => (body.startsWith('{') ? done(1) : refused));
  const id = await batch(kit.jobs, ['{"a":1}', 'nonsense', '', 'x'.repeat(1001), '{"b":2}']);
  const results = await resultsOf(kit.jobs, id);
  assert.deepEqual(
    results.map(({ index, status }) => [index, status]),
    [
      [0, 200],
      [1, 400],
      [2, 500],
      [3, 200],
    ],
  );
  assert.deepEqual(results[2]!.body, {
    error: 'The line is longer than 1000 bytes.',
    code: 'PAYLOAD_TOO_LARGE',
  });
  const { status, failedLines } = await ended(kit.jobs, id);
  assert.deepEqual([status, failedLines], ['succeeded', 2]);
});

test('a line that fails is repeated, and one that was not started is too', async () => {
  await using kit = await testJobs(store, (body, call) => {
    if (body === '1') return call < 2 ? failed : done('mended');
    return body === '2' ? failed : call < 2 ? busy : done('started');
  });
  const id = await batch(kit.jobs, ['1', '2', '3'], { maxAttempts: 2 });
  const results = await resultsOf(kit.jobs, id);
  assert.deepEqual(
    results.map(({ status, body }) => [status, (body as { code?: string }).code ?? body]),
    [
      [200, 'mended'],
      [500, 'INTERNAL'],
      [200, 'started'],
    ],
  );
  assert.equal(kit.routes.bodies.filter((body) => body === '2').length, 2);
});

test('results are read while a batch runs', async () => {
  const gate = Promise.withResolvers<void>();
  await using kit = await testJobs(store, async (body) => {
    if (JSON.parse(body).i >= 64) await gate.promise;
    return done(1);
  });
  const id = await batch(kit.jobs, lines(65));
  const results = kit.jobs.results(undefined, id, never);
  const { value } = await results.next();
  assert.equal((value as string).split('\n').length, 65);
  const job = await reaches(kit.jobs, id, 'running');
  assert.deepEqual([job.doneLines, job.lines], [64, 65]);
  gate.resolve();
  assert.equal((await results.next()).value, '{"index":64,"status":200,"body":1}\n');
  assert.ok((await results.next()).done);
  assert.equal(kit.jobs.watched, 0);
});

test('a reader that leaves stops waiting', async () => {
  await using kit = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const id = await batch(kit.jobs, lines(1));
  const gone = new AbortController();
  const next = kit.jobs.results(undefined, id, gone.signal).next();
  await until(() => kit.jobs.watched === 1, 'it waits');
  gone.abort();
  assert.ok((await next).done);
  assert.equal(kit.jobs.watched, 0);
  const stopped = kit.jobs.results(undefined, id, never).next();
  await until(() => kit.jobs.watched === 1, 'it waits');
  await kit.jobs.drain();
  await assert.rejects(stopped, { code: 'DRAINING' });
  await kit.jobs.cancel(undefined, id);
});

test('a cancelled batch keeps the results that it has', async () => {
  await using kit = await testJobs(store, (body, _call, signal) =>
    JSON.parse(body).i < 64
      ? done(1)
      : new Promise((resolve) => signal.addEventListener('abort', () => resolve(busy))),
  );
  const id = await batch(kit.jobs, lines(200));
  await until(
    async () => (await kit.jobs.find(undefined, id, 0, never)).doneLines === 64,
    'a part is done',
  );
  await kit.jobs.cancel(undefined, id);
  assert.equal((await resultsOf(kit.jobs, id)).length, 64);
  assert.equal((await kit.jobs.find(undefined, id, 0, never)).status, 'cancelled');
});

test('a batch goes on where its worker has stopped, and no line has two results', async () => {
  const ran: number[] = [];
  const gate = Promise.withResolvers<void>();
  await using late = await testJobs(
    store,
    async (body) => {
      if (JSON.parse(body).i >= 128) await gate.promise;
      return done('late');
    },
    { runner: { everyMs: 20, leaseMs: 3_600_000 }, config: { exitTimeoutMs: 1000 } },
  );
  const id = await batch(late.jobs, lines(300));
  await until(
    async () => (await late.jobs.find(undefined, id, 0, never)).doneLines === 128,
    'a part is done',
  );
  // Only the other worker takes the batch again.
  const drained = late.jobs.drain();
  await endLeases(store);
  await using next = await testJobs(store, (body) => {
    ran.push(JSON.parse(body).i);
    return done('next');
  });
  const results = await resultsOf(next.jobs, id);
  gate.resolve();
  await drained;
  assert.deepEqual(
    results.map(({ index }) => index),
    lines(300).map((_, i) => i),
  );
  assert.deepEqual(
    results.map(({ body }) => body),
    lines(300).map((_, i) => (i < 128 ? 'late' : 'next')),
  );
  assert.equal(Math.min(...ran), 128);
  const job = await ended(next.jobs, id);
  assert.deepEqual([job.doneLines, job.attempts], [300, 2]);
  assert.deepEqual(await resultsOf(next.jobs, id), results);
});

test('a drain queues a batch again, with its progress', async () => {
  const kit = await testJobs(store, (body, _call, signal) =>
    JSON.parse(body).i < 64
      ? done(1)
      : new Promise((resolve) => signal.addEventListener('abort', () => resolve(busy))),
  );
  const id = await batch(kit.jobs, lines(100));
  await until(
    async () => (await kit.jobs.find(undefined, id, 0, never)).doneLines === 64,
    'a part is done',
  );
  await kit.jobs.drain();
  const job = await kit.jobs.find(undefined, id, 0, never);
  assert.deepEqual([job.status, job.doneLines], ['queued', 64]);
  await kit.jobs.close();
  await using next = await testJobs(store, () => done(2));
  assert.equal((await ended(next.jobs, id)).doneLines, 100);
});

test('a batch that was not received completely leaves nothing', async () => {
  await using kit = await testJobs(store, () => done(1));
  const broken = (async function* () {
    yield new TextEncoder().encode(lines(2000).join('\n'));
    throw new Error('the client has gone');
  })();
  const asked = request(null, { body: undefined });
  const source = { pieces: broken, lineBytes: 1000, lines: 10_000 };
  await assert.rejects(kit.jobs.receive('fay', asked, source), /the client has gone/);
  await assert.rejects(batch(kit.jobs, lines(10), {}, { lines: 9 }), { code: 'PAYLOAD_TOO_LARGE' });
  await assert.rejects(batch(kit.jobs, ['', ' ']), {
    code: 'INVALID_ARGUMENT',
    message: /no lines/,
  });
  assert.deepEqual(
    await store.query("select id from jobs where owner = 'fay' or status = 'receiving'"),
    [],
  );
  assert.deepEqual(kit.routes.bodies, []);
});

test('a batch that a stopped server was receiving is deleted', async () => {
  await using kit = await testJobs(store, () => done(1));
  const gate = Promise.withResolvers<void>();
  const slow = (async function* () {
    yield new TextEncoder().encode(lines(2000).join('\n'));
    await gate.promise;
  })();
  const asked = request(null, { body: undefined });
  const received = kit.jobs.receive(undefined, asked, {
    pieces: slow,
    lineBytes: 1000,
    lines: 10_000,
  });
  const rejected = assert.rejects(received, { code: 'BODY_TIMEOUT' });
  const receiving = () => store.query("select id from jobs where status = 'receiving'");
  await until(async () => (await receiving()).length === 1, 'it is receiving');
  const page = { status: undefined, limit: 500, before: undefined };
  const { id } = (await receiving())[0]! as { id: string };
  assert.ok((await kit.jobs.list(undefined, page)).every((job) => job.id !== id));
  await assert.rejects(kit.jobs.find(undefined, id, 0, never), { code: 'NOT_FOUND' });
  await endLeases(store);
  await until(async () => (await receiving()).length === 0, 'it is deleted');
  gate.resolve();
  await rejected;
});

test('a key makes one batch of the same lines', async () => {
  await using kit = await testJobs(store, () => done(1));
  const id = await batch(kit.jobs, lines(100), { idempotencyKey: 'lines' });
  assert.equal(await batch(kit.jobs, lines(100), { idempotencyKey: 'lines' }), id);
  await assert.rejects(batch(kit.jobs, lines(101), { idempotencyKey: 'lines' }), {
    code: 'CONFLICT',
  });
  const single = request({ i: 1 }, { idempotencyKey: 'lines' });
  await assert.rejects(kit.jobs.create(undefined, single), { code: 'CONFLICT' });
  assert.equal((await ended(kit.jobs, id)).doneLines, 100);
});

test('a batch whose lines take long is kept while its bytes arrive', async () => {
  const { id } = await insertJob(store, undefined, request(null, { body: undefined }), null);
  await endLeases(store);
  assert.equal(await keepReceiving(store, id), true);
  const [row] = await store.query('select lease_until > now() as kept from jobs where id = $1', [
    id,
  ]);
  assert.deepEqual(row, { kept: true });
  await dropBatch(store, id);
  assert.equal(await keepReceiving(store, id), false);
});

test('long lines among short ones keep their order', async () => {
  await using kit = await testJobs(store, (body) => done(body.length));
  const lengths = Array.from({ length: 100 }, (_, i) => (i % 30 === 7 ? 300_000 : 10));
  const own = lengths.map((length) => `"${'x'.repeat(length)}"`);
  const id = await batch(kit.jobs, own, {}, { lineBytes: 1_000_000 });
  const results = await resultsOf(kit.jobs, id);
  assert.deepEqual(
    results.map(({ body }) => body),
    lengths.map((length) => length + 2),
  );
});
