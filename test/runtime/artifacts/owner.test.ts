import assert from 'node:assert/strict';
import { once } from 'node:events';
import process from 'node:process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isAbandoned, ownName } from '../../../runtime/artifacts/index.ts';

test('what another thread of the process had begun before this one started is not abandoned', async () => {
  const workerData = { name: ownName(), modified: Date.now() };
  const thread = new Worker(new URL('owner.fixture.ts', import.meta.url), { workerData });
  assert.deepEqual(await once(thread, 'message'), [false]);
  await thread.terminate();
});

test('what an earlier process with the same number had begun is abandoned', () => {
  const name = ownName();
  const earlier = name.replace(/\.\d+-/, '.1-');
  assert.notEqual(earlier, name);
  assert.match(name, new RegExp(`^${process.pid}\\.`));
  assert.equal(isAbandoned(earlier, Date.now()), true);
  assert.equal(isAbandoned(name, Date.now()), false);
});
