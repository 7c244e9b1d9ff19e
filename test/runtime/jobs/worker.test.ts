/** @module A worker that stops leaves the jobs that it was given, but has not taken, to others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addJobMetrics } from '../../../runtime/jobs/metrics.ts';
import { JobWatch } from '../../../runtime/jobs/watch.ts';
import { JobWorker } from '../../../runtime/jobs/worker.ts';
import { createLog } from '../../../runtime/log.ts';
import { Metrics } from '../../../runtime/metrics/index.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { PuppetEngine } from '../../support/puppet-engine.ts';
import { done, TestRoutes } from './support.ts';

test('a job that waits to be taken when the worker stops is given back', async () => {
  const answer = Promise.withResolvers<never[]>();
  const store = { query: () => answer.promise } as Partial<Store> as Store;
  const worker = new JobWorker({
    ...{ store, watch: new JobWatch(store), log: createLog('silent'), random: () => 0 },
    routes: new TestRoutes(() => done(1)),
    metrics: addJobMetrics(new Metrics(new PuppetEngine().counters, () => [])),
    ...{ concurrency: 2, linesAtOnce: 1, ttlSecs: 1, waitedMs: 0 },
    ...{ leaseMs: 1000, everyMs: 1000, drainMs: 1000 },
  });
  const given = ['first', 'second'].map((id) => worker.runById(id));
  const drained = worker.drain();
  answer.resolve([]);
  for (const run of given) await assert.rejects(run, { code: 'DRAINING' });
  await drained;
});
