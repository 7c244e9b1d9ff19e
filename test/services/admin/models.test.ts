import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type TestGateway, testGateway } from './support.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await testGateway({ models: { iris: { versions: { 'v1.0': '', 'v2.0': '' } } } });
});
after(() => gateway[Symbol.asyncDispose]());

test('a version is registered, listed, promoted and rolled back', async () => {
  const { send, register } = gateway;
  const first = await register('m', 'v1', 'one', { metadata: '{"accuracy":0.9}' });
  assert.equal(first.status, 201, JSON.stringify(first.body));
  assert.deepEqual(first.body.metadata, { accuracy: 0.9 });
  assert.equal(first.headers.get('etag'), `"${first.body.revision}"`);
  assert.equal((await register('m', 'v1', 'one')).status, 200);
  assert.equal((await register('m', 'v2', 'two')).status, 201);
  const promoted = await send('POST', '/admin/models/m/promote', { version: 'v1' });
  assert.deepEqual([promoted.status, promoted.body.labels], [200, { stable: 'v1' }]);
  await send('POST', '/admin/models/m/promote', { version: 'v2' });
  const back = await send('POST', '/admin/models/m/rollback');
  assert.deepEqual([back.status, back.body.labels], [200, { stable: 'v1' }]);
  const read = await send('GET', '/admin/models/m');
  assert.equal(read.headers.get('etag'), back.headers.get('etag'));
  const { body } = await send('GET', '/admin/events?model=m');
  assert.deepEqual(
    body.items.map(({ what }: { what: string }) => what),
    ['rollback', 'promote', 'promote', 'ready', 'register', 'ready', 'register'],
  );
});
