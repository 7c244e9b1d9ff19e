/** @module Generations and dropped models leave nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from './child.ts';

test('2,000 short generations leave no memory behind, and dropped models no threads', {
  timeout: 200_000,
}, async () => {
  const ended = await runChild('generation-memory.fixture.ts', ['2000', '12'], {}, 190_000);
  assert.deepEqual([ended.code, ended.stderr], [0, ''], JSON.stringify(ended));
  const { grownMiB, left, most } = JSON.parse(ended.stdout);
  assert.ok(grownMiB < 16, `memory grew by ${grownMiB} MiB with the second 2,000 generations`);
  assert.ok(most >= 2, `${most} threads at once: nothing was left to the garbage collector`);
  assert.ok(left <= 3, `${left} threads are left`);
});
