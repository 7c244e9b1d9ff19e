import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqlPool } from '../../../runtime/host/index.ts';
import { lockSession } from '../../../runtime/store/session-lock.ts';

/** A pool whose connection gets every lock, and ends as soon as it has the answer if the test says so. */
function pool(endsAtOnce: boolean) {
  const calls = { ended: 0, closed: () => {} };
  const connection = {
    async run(text: string) {
      if (endsAtOnce && text.includes('pg_try_advisory_lock')) calls.closed();
      return { rows: [{ held: true }], command: 'SELECT' };
    },
    release() {},
  };
  const open = async (onClose: () => void) => {
    calls.closed = onClose;
    const end = async () => {
      calls.ended += 1;
      onClose();
    };
    return { ...connection, reserve: async () => connection, end } as unknown as SqlPool;
  };
  return { calls, open };
}

test('a connection that ends with its answer holds no lock', async () => {
  const { calls, open } = pool(true);
  assert.equal(await lockSession('driver', open), undefined);
  assert.equal(calls.ended, 1);
});

test('a lock that is lost ends its connection once', async () => {
  const { calls, open } = pool(false);
  const lock = await lockSession('driver', open);
  assert.equal(lock?.lost.aborted, false);
  calls.closed();
  assert.equal(lock?.lost.aborted, true);
  await lock?.release();
  assert.ok(calls.ended >= 1);
});
