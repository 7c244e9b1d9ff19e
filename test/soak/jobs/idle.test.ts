/** @module Streams that are silent for longer than a connection may be idle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentHost } from '../../../runtime/index.ts';
import { openJobs, submit } from '../../services/jobs/support.ts';

test('a stream may be silent for longer than a connection may be idle', async () => {
  await using gateway = await openJobs({ jobConcurrency: 0 });
  const listener = await currentHost().listen({
    hostname: '127.0.0.1',
    port: 0,
    setting: 'PORT',
    idleTimeoutSecs: 1,
    shared: false,
    fetch: gateway.app.fetch,
  });
  const id = await submit(gateway);
  const responses = ['events', 'results'].map((path) =>
    fetch(`http://127.0.0.1:${listener.port}/jobs/${id}/${path}`).then((each) => each.text()),
  );
  // Bun looks for idle connections every few seconds.
  await sleep(9000);
  await gateway.runtime.platform!.jobs.cancel(undefined, id);
  const [events, results] = await Promise.all(responses);
  assert.match(events!, /"status":"cancelled"/);
  assert.equal(results, '');
  await listener.stop();
});
