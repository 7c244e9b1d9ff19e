import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Listeners } from '../../../runtime/store/listeners.ts';

test('every listener of a channel learns that it cannot be subscribed to, and the next one tries again', async () => {
  const listeners = new Listeners();
  const away = Promise.withResolvers<void>();
  const heard: string[] = [];
  const add = (subscribe: () => Promise<unknown>) =>
    listeners.add('c', (payload) => heard.push(payload), subscribe);
  const adding = [add(() => away.promise), add(() => Promise.resolve())];
  away.reject(new Error('away'));
  const results = await Promise.allSettled(adding);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(listeners.channels(), []);
  const remove = await add(() => Promise.resolve());
  listeners.notify('c', 'x');
  remove();
  listeners.notify('c', 'y');
  assert.deepEqual(heard, ['x']);
});
