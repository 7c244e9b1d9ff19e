/** @module Ten thousand jobs while workers are killed, connections are cut, and Redis is started anew. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Jobs } from '../../../runtime/jobs/index.ts';
import { untilAvailable } from '../../../runtime/jobs/retry.ts';
import { createLog } from '../../../runtime/log.ts';
import { mapInOrder } from '../../../runtime/map-in-order.ts';
import { openStore, type Store } from '../../../runtime/store/index.ts';
import { done, never, request, testJobs } from '../../runtime/jobs/support.ts';
import { temporaryFiles } from '../../support/files.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { noRedis, startRedis } from '../../support/redis.ts';

const JOBS = Number(process.env.SOAK_JOBS ?? 10_000);
const WORKERS = 3;

/** Worker processes, of which one is killed and replaced at a time. */
class Workers {
  kills = 0;
  readonly #args: readonly string[];
  readonly #children: ChildProcess[] = [];
  #next = 0;

  constructor(args: readonly string[]) {
    this.#args = args;
    for (let i = 0; i < WORKERS; i += 1) this.#children.push(this.#start());
  }

  killOne(): void {
    const i = this.#next % WORKERS;
    this.#next += 1;
    this.#children[i]!.kill('SIGKILL');
    this.#children[i] = this.#start();
    this.kills += 1;
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return gone;
      }),
    );
  }

  #start(): ChildProcess {
    const fixture = path.join(import.meta.dirname, 'worker.fixture.ts');
    return spawn(process.execPath, [fixture, ...this.#args], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
  }
}

/** Cuts all connections to PostgreSQL every 300 ms, until it is stopped. */
function cutConnections({ terminateBackends }: TestPostgres): () => Promise<void> {
  let stopped = false;
  const cuts = (async () => {
    while (!stopped) {
      await sleep(300);
      await terminateBackends().catch(() => undefined);
    }
  })();
  return () => {
    stopped = true;
    return cuts;
  };
}

/** Submits every job until it is stored, each with its own key. @returns how many submissions were refused */
async function submitAll(jobs: Jobs): Promise<number> {
  let refusals = 0;
  const numbers = Array.from({ length: JOBS }, (_, i) => i);
  await mapInOrder(numbers, 16, async (number) => {
    const asked = request(number, { idempotencyKey: `${number}`, maxAttempts: 100 });
    for (;;) {
      try {
        return await jobs.create(undefined, asked);
      } catch {
        refusals += 1;
      }
    }
  });
  return refusals;
}

interface StoredJob {
  readonly status: string;
  readonly answer: string;
  readonly idempotency_key: string;
}

/** Waits until all jobs have ended. */
async function endedJobs(store: Store): Promise<readonly StoredJob[]> {
  const read = <Row extends object>(text: string) =>
    untilAvailable(() => store.query<Row>(text), never, Math.random);
  const start = performance.now();
  for (let left = JOBS; left > 0; ) {
    assert.ok(performance.now() - start < 600_000, `${left} jobs have not ended`);
    await sleep(500);
    const [row] = await read<{ count: number }>(
      "select count(*)::int as count from jobs where status in ('queued', 'running')",
    );
    left = row!.count;
  }
  return read('select status, answer, idempotency_key from jobs');
}

async function chaos(withRedis: boolean): Promise<string> {
  await using postgres = await startPostgres();
  await using redis = await startRedis();
  using files = temporaryFiles({});
  const runs = path.join(files.path, 'runs');
  writeFileSync(runs, '');
  const databaseUrl = await postgres.createDatabase();
  const store = await openStore({ databaseUrl, stateDir: files.path }, createLog('silent'));
  const { jobs } = await testJobs(store, () => done(1), { config: { jobConcurrency: 0 } });
  const workers = new Workers([databaseUrl, runs, ...(withRedis ? [redis.url] : [])]);
  const kills = setInterval(() => workers.killOne(), 2000);
  const stopCuts = cutConnections(postgres);
  const restarted = sleep(5000)
    .then(() => redis.kill())
    .then(() => redis.start());
  try {
    const refusals = await submitAll(jobs);
    const stored = await endedJobs(store);
    assert.equal(new Set(stored.map((job) => job.idempotency_key)).size, JOBS);
    assert.equal(stored.length, JOBS);
    for (const { status, answer, idempotency_key: key } of stored) {
      assert.deepEqual([status, answer], ['succeeded', String(2 * Number(key))], `job ${key}`);
    }
    const repeated = readFileSync(runs, 'utf8').trim().split('\n').length - JOBS;
    return `${JOBS} jobs, ${repeated} runs repeated, ${workers.kills} workers killed, ${refusals} submissions refused and repeated`;
  } finally {
    clearInterval(kills);
    await Promise.all([stopCuts(), restarted, workers.stop()]);
    await jobs.drain();
    await jobs.close();
    await store.close();
  }
}

test('no job is lost and none has two results', { skip: noPostgres }, async () => {
  console.log(await chaos(false));
});

test('no job is lost and none has two results, with a queue in Redis that is started anew', {
  skip: noPostgres || noRedis,
}, async () => {
  console.log(await chaos(true));
});
