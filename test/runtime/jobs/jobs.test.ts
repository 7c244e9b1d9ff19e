import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { jobJson } from '../../../runtime/jobs/index.ts';
import { sumOf } from '../../support/metrics.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';
import {
  busy,
  done,
  ended,
  endLeases,
  failed,
  never,
  passKeeping,
  passStart,
  type Respond,
  reaches,
  refused,
  request,
  retryNow,
  testJobs,
} from './support.ts';

const store = await testStore();
after(() => store.close());

/** A promise of an answer, and a function that gives it. */
const held = () => Promise.withResolvers<ReturnType<typeof done>>();

/** Answers when the request is aborted, as an infer route does. */
const whenAborted: Respond = (_body, _call, signal) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(busy)));

test('a job runs, and its result keeps every digit', async () => {
  await using kit = await testJobs(store, () => ({
    status: 200,
    body: '{"big": 12345678901234567890,\n "small": 1.0}',
    outcome: 'done',
  }));
  const made = await kit.jobs.create(undefined, request({ features: [1] }));
  assert.deepEqual([made.created, made.status], [true, 'queued']);
  const job = await ended(kit.jobs, made.id);
  assert.deepEqual([job.status, job.attempts], ['succeeded', 1]);
  assert.ok(job.createdAt <= job.startedAt! && job.startedAt! <= job.finishedAt!);
  assert.match(
    jobJson(job),
    /"progress":1,.*"result":\{"big": 12345678901234567890, {2}"small": 1.0\}\}$/,
  );
  assert.deepEqual(kit.routes.bodies, ['{"features":[1]}']);
});

test('a mistake of the client is not repeated', async () => {
  await using kit = await testJobs(store, () => refused);
  const { id } = await kit.jobs.create(undefined, request('a'));
  const job = await ended(kit.jobs, id);
  assert.deepEqual([job.status, job.attempts, job.answerStatus], ['failed', 1, 400]);
  const json = JSON.parse(jobJson(job));
  assert.deepEqual([json.error, json.code], ['The body is wrong.', 'INVALID_ARGUMENT']);
});

test('a failure is repeated until the attempts are used up', async () => {
  await using kit = await testJobs(store, () => failed);
  const { id } = await kit.jobs.create(undefined, request('b', { maxAttempts: 2 }));
  await until(async () => {
    await retryNow(store);
    return (await kit.jobs.find(undefined, id, 0, never)).status === 'failed';
  }, 'the job has failed');
  assert.deepEqual(kit.routes.bodies.length, 2);
  const { attempts, failedLines } = await ended(kit.jobs, id);
  assert.deepEqual([attempts, failedLines], [2, 1]);
});

test('a job that a busy server has not started keeps its attempts', async () => {
  await using kit = await testJobs(store, (_body, call) => (call < 5 ? busy : done(call)));
  const { id } = await kit.jobs.create(undefined, request('c', { maxAttempts: 1 }));
  await until(async () => {
    await retryNow(store);
    return (await kit.jobs.find(undefined, id, 0, never)).status === 'succeeded';
  }, 'the job has succeeded');
});

test('jobs run at the same time, up to the limit, the oldest first', async () => {
  const gate = held();
  await using kit = await testJobs(store, () => gate.promise, { config: { jobConcurrency: 2 } });
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push((await kit.jobs.create(undefined, request(i))).id);
  await until(() => kit.routes.bodies.length === 2, 'two jobs run');
  gate.resolve(done('all'));
  for (const id of ids) assert.equal((await ended(kit.jobs, id)).status, 'succeeded');
  assert.deepEqual([kit.routes.bodies.join(''), kit.routes.most], ['01234', 2]);
});

test('a job is not run where none may run', async () => {
  await using kit = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const { id } = await kit.jobs.create(undefined, request('d', { ttlSecs: 60 }));
  assert.equal((await kit.jobs.find(undefined, id, 50, never)).status, 'queued');
  await passStart(store);
  assert.equal((await ended(kit.jobs, id)).status, 'expired');
  assert.deepEqual(kit.routes.bodies, []);
});

test('who waits too long gets the job as it is then', async () => {
  await using kit = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const { id } = await kit.jobs.create(undefined, request('waits'));
  const found = kit.jobs.find(undefined, id, 1000, never);
  await until(() => kit.jobs.watched === 1, 'somebody waits');
  await store.query(
    "update jobs set status = 'running' where id = $1 returning pg_notify('millrace_jobs', id)",
    [id],
  );
  assert.equal((await found).status, 'running');
  await kit.jobs.cancel(undefined, id);
});

test('a job that was started once does not expire', async () => {
  await using kit = await testJobs(store, (_body, call) => (call < 2 ? failed : done(call)));
  const { id } = await kit.jobs.create(undefined, request('e', { ttlSecs: 60 }));
  await until(async () => {
    await retryNow(store);
    return (await kit.jobs.find(undefined, id, 0, never)).status === 'succeeded';
  }, 'the job has succeeded');
});

test('a queued job is cancelled, and not run', async () => {
  await using kit = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const { id } = await kit.jobs.create(undefined, request('f'));
  assert.equal((await kit.jobs.cancel(undefined, id)).status, 'cancelled');
  assert.equal((await kit.jobs.cancel(undefined, id)).status, 'cancelled');
  await using worker = await testJobs(store, () => done(1));
  const other = await worker.jobs.create(undefined, request('g'));
  assert.equal((await ended(worker.jobs, other.id)).status, 'succeeded');
  assert.deepEqual(worker.routes.bodies, ['"g"']);
});

test('a running job is cancelled, and its request with it', async () => {
  const aborted = Promise.withResolvers<void>();
  await using kit = await testJobs(store, (_body, _call, signal) => {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.resolve();
        resolve(done('too late'));
      });
    });
  });
  const { id } = await kit.jobs.create(undefined, request('h'));
  await reaches(kit.jobs, id, 'running');
  await kit.jobs.cancel(undefined, id);
  await aborted.promise;
  await kit.jobs.drain();
  const job = await kit.jobs.find(undefined, id, 0, never);
  assert.deepEqual([job.status, job.answer], ['cancelled', undefined]);
});

test('a job that has ended cannot be cancelled', async () => {
  await using kit = await testJobs(store, () => done(1));
  const { id } = await kit.jobs.create(undefined, request('i'));
  await ended(kit.jobs, id);
  await assert.rejects(kit.jobs.cancel(undefined, id), {
    code: 'CONFLICT',
    message: /has already succeeded/,
  });
  await assert.rejects(kit.jobs.cancel(undefined, 'job_none'), { code: 'NOT_FOUND' });
});

test('the job of a worker that has stopped is run again, and the late worker stores nothing', async () => {
  const first = held();
  await using kit = await testJobs(
    store,
    (_body, call) => (call === 1 ? first.promise : done('second')),
    {
      runner: { everyMs: 20, leaseMs: 3_600_000 },
    },
  );
  const { id } = await kit.jobs.create(undefined, request('j'));
  await until(() => kit.routes.bodies.length === 1, 'the job runs');
  await endLeases(store);
  // One worker runs no job twice at a time, so the second run is that of another process.
  await using other = await testJobs(store, () => done('second'));
  const job = await ended(other.jobs, id);
  assert.deepEqual([job.status, job.attempts, job.answer], ['succeeded', 2, '"second"']);
  first.resolve(done('first'));
  await kit.jobs.drain();
  assert.equal((await ended(other.jobs, id)).answer, '"second"');
});

test('a run is aborted when its worker has started the job again', async () => {
  const aborted: number[] = [];
  const respond: Respond = (_body, call, signal) =>
    new Promise((resolve) =>
      signal.addEventListener('abort', () => {
        aborted.push(call);
        resolve(busy);
      }),
    );
  await using kit = await testJobs(store, respond, {
    runner: { everyMs: 50, leaseMs: 2000 },
    config: { exitTimeoutMs: 2 },
  });
  const { id } = await kit.jobs.create(undefined, request('twice'));
  await reaches(kit.jobs, id, 'running');
  await store.query(
    `update jobs set status = 'queued', lease_until = null, run_after = now()
     where id = $1 returning pg_notify('millrace_jobs', '+' || id)`,
    [id],
  );
  await until(() => kit.routes.bodies.length === 2, 'it is started again');
  await until(() => aborted.length > 0, 'the first run is aborted');
  assert.deepEqual(aborted, [1]);
  await kit.jobs.cancel(undefined, id);
});

test('a job whose workers stop every time fails', async () => {
  await using kit = await testJobs(store, whenAborted, {
    config: { exitTimeoutMs: 2 },
    runner: { everyMs: 5 },
  });
  const { id } = await kit.jobs.create(undefined, request('k', { maxAttempts: 2 }));
  await until(async () => {
    await endLeases(store);
    return (await kit.jobs.find(undefined, id, 0, never)).status === 'failed';
  }, 'the job has failed');
  const json = JSON.parse(jobJson(await ended(kit.jobs, id)));
  assert.deepEqual(json.error, 'Every server that ran the job has stopped before its end.');
});

test('a drain waits for a job, and queues it again if it takes too long', async () => {
  const slow = held();
  const kit = await testJobs(store, () => slow.promise);
  const { id } = await kit.jobs.create(undefined, request('l'));
  await reaches(kit.jobs, id, 'running');
  const drained = kit.jobs.drain();
  slow.resolve(done('in time'));
  await drained;
  assert.equal((await kit.jobs.find(undefined, id, 0, never)).answer, '"in time"');

  const stuck = await testJobs(store, whenAborted, { config: { exitTimeoutMs: 2 } });
  const { id: late } = await stuck.jobs.create(undefined, request('m'));
  await reaches(stuck.jobs, late, 'running');
  await stuck.jobs.drain();
  assert.equal((await stuck.jobs.find(undefined, late, 0, never)).status, 'queued');
  await using next = await testJobs(store, () => done('next'));
  assert.equal((await ended(next.jobs, late)).answer, '"next"');
  await kit.jobs.close();
  await stuck.jobs.close();
});

test('a close without a drain ends the jobs that run, too', async () => {
  await using kit = await testJobs(store, whenAborted, { config: { exitTimeoutMs: 20 } });
  const { id } = await kit.jobs.create(undefined, request('closed'));
  await reaches(kit.jobs, id, 'running');
  await kit.jobs.close();
  assert.equal((await kit.jobs.find(undefined, id, 0, never)).status, 'queued');
  await kit.jobs.cancel(undefined, id);
});

test('a key makes one job, whoever sends it how often', async () => {
  await using kit = await testJobs(store, () => done(1));
  const asked = request('n', { idempotencyKey: 'key-1' });
  const made = await Promise.all([1, 2, 3].map(() => kit.jobs.create('anna', asked)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
  assert.equal(made.filter(({ created }) => created).length, 1);
  await ended(kit.jobs, made[0]!.id);
  assert.deepEqual(await kit.jobs.create('anna', asked).then(({ status }) => status), 'succeeded');
  for (const other of [
    request('other', { idempotencyKey: 'key-1' }),
    request('n', { idempotencyKey: 'key-1', maxAttempts: 4 }),
    request('n', { idempotencyKey: 'key-1', path: '/v2/models/iris/infer' }),
  ]) {
    await assert.rejects(kit.jobs.create('anna', other), { code: 'CONFLICT' });
  }
  const other = await kit.jobs.create('bert', asked);
  assert.ok(other.created);
  await ended(kit.jobs, other.id);
  assert.deepEqual(kit.routes.bodies, ['"n"', '"n"']);
});

test('a job is seen by its owner, and by everyone where callers are not known', async () => {
  await using kit = await testJobs(store, () => done(1));
  const { id } = await kit.jobs.create('carl', request('o'));
  assert.equal((await kit.jobs.find('carl', id, 1000, never)).id, id);
  assert.equal((await kit.jobs.find(undefined, id, 0, never)).id, id);
  await assert.rejects(kit.jobs.find('dora', id, 0, never), { code: 'NOT_FOUND' });
  await assert.rejects(kit.jobs.cancel('dora', id), { code: 'NOT_FOUND' });
  await assert.rejects(kit.jobs.results('dora', id, never).next(), { code: 'NOT_FOUND' });
  await assert.rejects(kit.jobs.follow('dora', id, 1, never).next(), { code: 'NOT_FOUND' });
  const page = { status: undefined, limit: 10, before: undefined };
  assert.deepEqual(
    (await kit.jobs.list('carl', page)).map((job) => job.id),
    [id],
  );
  assert.deepEqual(await kit.jobs.list('dora', page), []);
});

test('a list has the newest first, by status and in pages', async () => {
  await using kit = await testJobs(store, (body) => (body === '"bad"' ? refused : done(1)));
  const ids: string[] = [];
  for (const body of ['1', 'bad', '2', '3']) {
    const { id } = await kit.jobs.create('emil', request(body));
    await ended(kit.jobs, id);
    ids.unshift(id);
  }
  const list = async (status: 'failed' | undefined, before?: number) =>
    kit.jobs.list('emil', { status, limit: 2, before });
  const first = await list(undefined);
  assert.deepEqual(
    first.map(({ id }) => id),
    ids.slice(0, 3),
  );
  const rest = await list(undefined, first[1]!.seq);
  assert.deepEqual(
    rest.map(({ id }) => id),
    ids.slice(2),
  );
  assert.deepEqual(
    (await list('failed')).map(({ id }) => id),
    [ids[2]],
  );
  assert.equal(first[0]!.answer, undefined);
});

test('a job that is kept for long enough is deleted with its lines', async () => {
  await using kit = await testJobs(store, () => done(1));
  const { id } = await kit.jobs.create(undefined, request('p'));
  await ended(kit.jobs, id);
  await passKeeping(store);
  await until(
    () =>
      kit.jobs.find(undefined, id, 0, never).then(
        () => false,
        () => true,
      ),
    'the job is deleted',
  );
});

test('a job whose webhook no server sends any more is deleted, too', async () => {
  await using maker = await testJobs(store, () => done(1), { first: false });
  await using worker = await testJobs(store, () => done(1), {
    config: { webhookSecret: undefined },
  });
  const webhook = 'https://example.com/';
  const { id } = await maker.jobs.create(undefined, request('unsent', { webhook }));
  assert.equal((await ended(worker.jobs, id)).webhookStatus, 'pending');
  await passKeeping(store);
  await until(async () => {
    const rows = await store.query('select id from jobs where id = $1', [id]);
    return rows.length === 0;
  }, 'the job is deleted');
});

test('a wait ends with the job, with its time and with its client', async () => {
  const gate = held();
  await using kit = await testJobs(store, () => gate.promise);
  const { id } = await kit.jobs.create(undefined, request('q'));
  await reaches(kit.jobs, id, 'running');
  const quick = await kit.jobs.find(undefined, id, 20, never);
  assert.equal(quick.status, 'running');
  const gone = new AbortController();
  const left = kit.jobs.find(undefined, id, 60_000, gone.signal);
  const whole = kit.jobs.find(undefined, id, 60_000, never);
  await until(() => kit.jobs.watched === 1, 'both wait');
  gone.abort();
  assert.equal((await left).status, 'running');
  gate.resolve(done(1));
  assert.equal((await whole).status, 'succeeded');
  assert.equal(kit.jobs.watched, 0);
});

test('a wait ends when the server stops', async () => {
  const kit = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const { id } = await kit.jobs.create(undefined, request('r'));
  const wait = kit.jobs.find(undefined, id, 60_000, never);
  await until(() => kit.jobs.watched === 1, 'it waits');
  await kit.jobs.drain();
  assert.equal((await wait).status, 'queued');
  await kit.jobs.cancel(undefined, id);
  await kit.jobs.close();
});

test('the changes of a job are followed to its end', async () => {
  const gate = held();
  await using kit = await testJobs(store, () => gate.promise);
  const { id } = await kit.jobs.create(undefined, request('s'));
  await reaches(kit.jobs, id, 'running');
  const seen: (string | undefined)[] = [];
  for await (const job of kit.jobs.follow(undefined, id, 30, never)) {
    seen.push(job?.status);
    if (job === undefined) gate.resolve(done(1));
  }
  assert.deepEqual([seen[0], seen[1], seen.at(-1)], ['running', undefined, 'succeeded']);
  assert.equal(kit.jobs.watched, 0);
});

test('the metrics show what waits, runs and has ended', async () => {
  const gate = held();
  await using kit = await testJobs(store, () => gate.promise, { config: { jobConcurrency: 1 } });
  const ids = [];
  for (const body of ['t', 'u']) ids.push((await kit.jobs.create(undefined, request(body))).id);
  const backlog = async (status: string) =>
    sumOf(await kit.metrics.render(), 'millrace_jobs', { status });
  await until(
    async () => (await backlog('running')) === 1 && (await backlog('queued')) === 1,
    'both are seen',
  );
  await store.query(
    "update jobs set run_after = now() - interval '90 seconds' where status = 'queued'",
  );
  await until(async () => {
    return sumOf(await kit.metrics.render(), 'millrace_jobs_queue_lag_seconds') === 90;
  }, 'the lag is seen');
  gate.resolve(done(1));
  for (const id of ids) await ended(kit.jobs, id);
  await until(async () => (await backlog('running')) === 0, 'nothing runs');
  const page = await kit.metrics.render();
  assert.equal(sumOf(page, 'millrace_jobs_ended_total', { status: 'succeeded' }), 2);
  assert.equal(sumOf(page, 'millrace_job_wait_seconds_count'), 2);
  assert.equal(sumOf(page, 'millrace_job_wait_seconds_bucket', { le: '60' }), 1);
});
