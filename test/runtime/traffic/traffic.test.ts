/** @module What a thread does about traffic by itself goes on while the database is away, without a line of the log each second. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServeError } from '../../../runtime/errors.ts';
import { createLog } from '../../../runtime/log.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { StoredRoutes, Traffic } from '../../../runtime/traffic/index.ts';

test('failures in a row are logged once, and those after a success again', async () => {
  let isAway = true;
  const tryLock = async () => {
    if (isAway) throw new ServeError('STORE_UNAVAILABLE', 'The database cannot be reached.');
    return undefined;
  };
  const lines: string[] = [];
  const traffic = new Traffic({
    store: { tryLock, query: async () => [{ count: 0 }] } as Partial<Store> as Store,
    routes: new StoredRoutes(() => ({})),
    repository: { names: () => [], versions: () => undefined, config: () => undefined },
    config: { feedbackTtlSecs: 1, shadowKeepInputs: true },
    log: createLog('warn', { write: (line) => void lines.push(JSON.parse(line).msg) }),
  });
  for (const away of [true, true, false, true]) {
    isAway = away;
    await traffic.lead();
  }
  assert.deepEqual(lines, ['canaries not driven', 'canaries not driven']);
});
