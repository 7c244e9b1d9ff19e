/** @module Tests a response that takes longer than IDLE_TIMEOUT_SECS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODELS, ROW, start } from './support.ts';

/** Bun checks idle connections every four seconds. */
const WAIT_MS = 5000;

test('a request that waits and runs for longer than IDLE_TIMEOUT_SECS gets its response', async () => {
  const triton = `max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: ${WAIT_MS * 1000} }`;
  const models = { iris: { triton, versions: { '1': MODELS.iris!.versions['v1.0']! } } };
  await using service = await start({ IDLE_TIMEOUT_SECS: '1' }, models);
  const begin = performance.now();
  const response = await service.predict({ features: ROW });
  assert.equal(response.status, 200, await response.text());
  const elapsed = performance.now() - begin;
  assert.ok(elapsed >= WAIT_MS, `responded after ${elapsed} ms`);
});
