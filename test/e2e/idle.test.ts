/** @module A connection whose response takes longer than a connection may be idle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slow, start } from './support.ts';

test('a run that takes longer than IDLE_TIMEOUT_SECS is answered', async () => {
  await using service = await start({ IDLE_TIMEOUT_SECS: '1' });
  // Bun looks at idle connections every four seconds.
  const response = await service.predict(slow(6000));
  assert.equal(response.status, 200);
});
