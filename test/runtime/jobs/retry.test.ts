import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backoffMs,
  busyMs,
  jobBackoff,
  WEBHOOK_ATTEMPTS,
  webhookBackoff,
} from '../../../runtime/jobs/retry.ts';

test('waits double up to a limit, and half of each is random', () => {
  const least = [1, 2, 3, 4, 7, 8, 100].map((failures) => backoffMs(jobBackoff, failures, 0));
  assert.deepEqual(least, [500, 1000, 2000, 4000, 30_000, 30_000, 30_000]);
  const most = [1, 2, 100].map((failures) => backoffMs(jobBackoff, failures, 1));
  assert.deepEqual(most, [1000, 2000, 60_000]);
});

test('a webhook is tried for some ten minutes', () => {
  let totalMs = 0;
  for (let i = 1; i < WEBHOOK_ATTEMPTS; i += 1) totalMs += backoffMs(webhookBackoff, i, 1);
  assert.equal(totalMs, 635_000);
});

test('a busy server is asked again when it says so, within limits', () => {
  assert.equal(busyMs(undefined, 1), 1000);
  assert.equal(busyMs(5000, 1), 5000);
  assert.equal(busyMs(5000, 0), 2500);
  assert.equal(busyMs(3_600_000, 1), 30_000);
});
