/** @module Tests a response that takes longer than IDLE_TIMEOUT_SECS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slow, start } from './support.ts';

test('a request whose run takes longer than IDLE_TIMEOUT_SECS gets its response', async () => {
  await using service = await start({ IDLE_TIMEOUT_SECS: '1' });
  // Bun checks idle connections every four seconds.
  const response = await service.predict(slow(6000));
  assert.equal(response.status, 200);
});
