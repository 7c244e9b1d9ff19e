/** @module The memory of a process that receives, runs and returns a batch of 100,000 lines. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { createLog } from '../../../runtime/log.ts';
import { openStore } from '../../../runtime/store/index.ts';
import { done, never, request, testJobs } from '../../runtime/jobs/support.ts';
import { noPostgres, startPostgres } from '../../support/postgres.ts';

const LINES = 100_000;
const LINE = JSON.stringify({ features: Array.from({ length: 32 }, (_, i) => i + 0.5) });
const MOST_GROWTH = 150 * 1024 * 1024;

test('a batch of 100,000 lines takes little memory', { skip: noPostgres }, async () => {
  await using postgres = await startPostgres();
  const databaseUrl = await postgres.createDatabase();
  const store = await openStore({ databaseUrl, stateDir: '/nowhere' }, createLog('silent'));
  // The bodies are not kept, as `TestRoutes` does for other tests.
  const kit = await testJobs(store, () => done({ prediction: 'setosa', confidence: 0.97 }));
  Object.assign(kit.routes.bodies, { push: () => 0 });
  const { jobs } = kit;
  let most = 0;
  const sampler = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  const receive = async (count: number) => {
    const piece = new TextEncoder().encode(`${LINE}\n`.repeat(100));
    const pieces = (async function* () {
      for (let i = 0; i < count; i += 100) yield piece;
    })();
    const asked = request(null, { body: undefined });
    return (await jobs.receive(undefined, asked, { pieces, lineBytes: 10_000, lines: LINES })).id;
  };
  const readAll = async (id: string) => {
    let count = 0;
    for await (const text of jobs.results(undefined, id, never)) {
      for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
    }
    return count;
  };
  assert.equal(await readAll(await receive(2000)), 2000);
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  most = before;
  const start = performance.now();
  const id = await receive(LINES);
  const received = performance.now();
  const run = readAll(id);
  assert.equal(await run, LINES);
  const end = performance.now();
  clearInterval(sampler);
  const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
  console.log(
    `${LINES} lines of ${LINE.length} bytes: received in ${Math.round(received - start)} ms, run and read in ${Math.round(end - received)} ms, ${mib(most - before)} MiB more than ${mib(before)} MiB`,
  );
  assert.ok(most - before < MOST_GROWTH, `${mib(most - before)} MiB`);
  assert.ok(kit.routes.most <= 64);
  await jobs.drain();
  await jobs.close();
  await store.close();
});
