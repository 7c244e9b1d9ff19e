import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { refuses, type TestGateway, testGateway } from './support.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await testGateway({ models: { iris: { versions: { 'v1.0': '', 'v2.0': '' } } } });
  await gateway.register('m', 'v1', 'one');
  await gateway.register('m', 'v2', 'two');
  await gateway.register('m', 'old', 'three');
  await gateway.send('DELETE', '/admin/models/m/versions/old');
});
after(() => gateway[Symbol.asyncDispose]());

test('a version is promoted and rolled back, and the audit log says who did it', async () => {
  const { send } = gateway;
  const promoted = await send('POST', '/admin/models/m/promote', { version: 'v1' });
  assert.deepEqual([promoted.status, promoted.body.labels], [200, { stable: 'v1' }]);
  await send('POST', '/admin/models/m/promote', { version: 'v2' });
  const back = await send('POST', '/admin/models/m/rollback');
  assert.deepEqual([back.status, back.body.labels], [200, { stable: 'v1' }]);
  const read = await send('GET', '/admin/models/m');
  assert.equal(read.headers.get('etag'), `"${back.body.revision}"`);
  assert.equal(back.headers.get('etag'), read.headers.get('etag'));
  const { body } = await send('GET', '/admin/events?model=m&limit=3');
  const { at, ...event } = body.items[0];
  assert.match(at, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(event, {
    ...{ id: event.id, model: 'm', who: 'anonymous', what: 'rollback' },
    before: { stable: 'v2', weights: event.before.weights },
    after: { stable: 'v1', weights: { v1: 1 } },
  });
});

test('a change with If-Match is made on the revision that it names, and refused on others', async () => {
  const { send } = gateway;
  const { headers } = await send('GET', '/admin/models/m');
  const match = { 'If-Match': headers.get('etag')! };
  const body = { version_policy: { latest: 2 } };
  const first = await send('PUT', '/admin/models/m?strict', body, match);
  assert.deepEqual([first.status, first.body.version_policy], [200, { latest: 2 }]);
  const second = await send('PUT', '/admin/models/m', { version_policy: 'all' }, match);
  assert.deepEqual([second.status, second.body.code], [412, 'STALE_REVISION']);
  const list = { 'If-Match': `"1", ${first.headers.get('etag')}` };
  const third = await send('PUT', '/admin/models/m', { version_policy: 'all' }, list);
  assert.deepEqual([third.status, third.body.version_policy], [200, 'all']);
  const any = await send('POST', '/admin/models/m/rollback', {}, { 'If-Match': '*' });
  assert.equal(any.status, 200);
});

test('a repeated Idempotency-Key repeats the response and not the change', async () => {
  const { send } = gateway;
  await send('POST', '/admin/models/m/promote', { version: 'v1' });
  await send('POST', '/admin/models/m/promote', { version: 'v2' });
  const key = { 'Idempotency-Key': 'rollback-1' };
  const first = await send('POST', '/admin/models/m/rollback', undefined, key);
  const second = await send('POST', '/admin/models/m/rollback', undefined, key);
  assert.deepEqual(second.body, first.body);
  assert.equal(second.headers.get('etag'), first.headers.get('etag'));
  assert.deepEqual((await send('GET', '/admin/models/m')).body.labels, { stable: 'v1' });
  const other = await send('POST', '/admin/models/m/promote', { version: 'v1' }, key);
  assert.deepEqual([other.status, other.body.code], [409, 'CONFLICT']);
});

test('models are listed in pages, those of the repository among them', async () => {
  const { send, register } = gateway;
  for (const name of ['a', 'z']) await register(name, 'v1');
  const names: string[] = [];
  let cursor = '';
  do {
    const { body } = await send('GET', `/admin/models?limit=2${cursor}`);
    names.push(...body.items.map(({ name }: { name: string }) => name));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  assert.deepEqual(names, ['a', 'iris', 'm', 'z']);
  const { body } = await send('GET', '/admin/models/iris');
  assert.deepEqual(body, {
    ...{ name: 'iris', revision: 0, version_policy: 'all', labels: {} },
    versions: ['v1.0', 'v2.0'].map((version) => ({ version, state: 'ready' })),
    ...{ created_at: null, created_by: null },
  });
});

const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('mistakes', () => {
  refuses(() => gateway, 'GET', '/admin/events', [
    ['?model=%00', undefined, 400, /NUL/],
    ['?limit=0', undefined, 400, /1 to 500/],
    ['?cursor=WyJhIl0', undefined, 400, /`next`/],
  ]);
  refuses(() => gateway, 'GET', '/admin/models', [
    ['?limit=0', undefined, 400, /1 to 500/],
    ['?limit=501', undefined, 400, /1 to 500/],
    ['?limit=ten', undefined, 400, /1 to 500/],
    ['?limit=-1', undefined, 400, /1 to 500/],
    ['?limit=', undefined, 400, /1 to 500/],
    ['?cursor=', undefined, 400, /`next`/],
    ['?cursor=bm9uZQ', undefined, 400, /`next`/],
    ['?cursor=WzFd', undefined, 400, /`next`/],
    ['?cursor=WyJhIiwiYiJd', undefined, 400, /`next`/],
    ['?cursor=WyJcdTAwMDAiXQ', undefined, 400, /`next`/],
  ]);
  refuses(() => gateway, 'GET', '/admin/models/', [
    ['none', undefined, 404, /no model 'none'/],
    ['..%2f..%2fetc', undefined, 404, /no model/],
    ['%00', undefined, 404, /no model/],
    ['m%00', undefined, 404, /no model/],
    ['%ff', undefined, 404, /no model/],
    ['M', undefined, 404, /no model 'M'/],
    ["'; drop table models --", undefined, 404, /no model/],
    ['%F0%9F%98%80', undefined, 404, /no model/],
    ['a'.repeat(5000), undefined, 404, /no model/],
    ['m/none', undefined, 404, /no such route/],
  ]);
  refuses(() => gateway, 'PUT', '/admin/models/', [
    ['m', {}, 400, /version_policy must be/],
    ['m', { version_policy: 'newest' }, 400, /version_policy must be/],
    ['m', { version_policy: { latest: 0 } }, 400, /latest must be at least 1/],
    ['m', { version_policy: { latest: 1.5 } }, 400, /whole number/],
    ['m', { version_policy: { specific: [] } }, 400, /specific must be a list/],
    ['m', { version_policy: { latest: 1, specific: ['v1'] } }, 400, /unknown key/],
    ['m', { version_policy: { specific: ['v1', '\u0000'] } }, 400, /NUL/],
    ['m', { policy: 'all' }, 400, /version_policy/],
    ['m', '{', 400, /not valid JSON/, JSON_TYPE],
    ['m', '[]', 400, /must be an object/, JSON_TYPE],
    ['m?strict', { version_policy: 'all' }, 428, /needs If-Match/],
    ['m', { version_policy: 'all' }, 412, /revision/, { 'If-Match': '"0"' }],
    ['m', { version_policy: 'all' }, 412, /revision/, { 'If-Match': 'W/"1"' }],
    ['m', { version_policy: 'all' }, 412, /exists already/, { 'If-None-Match': '*' }],
    ['m', { version_policy: 'all' }, 400, /If-Match must be/, { 'If-Match': '7' }],
    ['m', { version_policy: 'all' }, 400, /Idempotency-Key must/, { 'Idempotency-Key': 'a b' }],
    ['none', { version_policy: 'all' }, 404, /no model/],
    ['m', 'version_policy=all', 415, /must be JSON/, { 'Content-Type': 'text/plain' }],
    ['m', { version_policy: 'all' }, 403, /other sites/, { Origin: 'https://evil.example' }],
  ]);
  refuses(() => gateway, 'POST', '/admin/models/', [
    ['m/promote', undefined, 400, /version must be a string/],
    ['m/promote', { version: 1 }, 400, /version must be a string/],
    ['m/promote', { version: 'v9' }, 404, /no version 'v9'/],
    ['m/promote', { version: '' }, 404, /no version/],
    ['m/promote', { version: '../v1' }, 404, /no version/],
    ['m/promote', { version: 'v1\u0000' }, 404, /no version/],
    ['m/promote', { version: 'old' }, 409, /'old' of model 'm' is archived/],
    ['m/promote', { version: 'v1', force: true }, 400, /unknown key 'force'/],
    ['m/promote?strict', { version: 'v1' }, 428, /needs If-Match/],
    ['m/promote', { version: 'v1' }, 412, /read it again/, { 'If-Match': '"1"' }],
    ['none/promote', { version: 'v1' }, 404, /no model/],
    ['m/promote', { version: 'x'.repeat(70_000) }, 413, /65536 bytes/],
    ['m/rollback', { version: 'v1' }, 400, /unknown key/],
    ['m/rollback', [], 400, /must be an object/],
    ['m/rollback?strict=maybe', undefined, 400, /\?strict must be true or false/],
    ['m/rollback?strict', undefined, 428, /needs If-Match/],
    ['m/rollback', undefined, 412, /read it again/, { 'If-Match': '"999999999"' }],
    ['m/rollback', undefined, 412, /exists already/, { 'If-None-Match': '*' }],
    ['m/rollback', undefined, 400, /only as \*/, { 'If-None-Match': '"1"' }],
    ['m/rollback', undefined, 400, /1 to 255/, { 'Idempotency-Key': 'x'.repeat(256) }],
    ['iris/rollback', undefined, 409, /no other version/],
    ['none/rollback', undefined, 404, /no model/],
    ['%00/rollback', undefined, 404, /no model/],
  ]);
  refuses(() => gateway, 'GET', '/admin/events', [
    ['?limit=x', undefined, 400, /1 to 500/],
    ['?limit=1e2', undefined, 400, /1 to 500/],
    ['?cursor=x', undefined, 400, /`next`/],
    ['?cursor=WyJhIl0', undefined, 400, /`next`/],
    ['?cursor=WzEuNV0', undefined, 400, /`next`/],
    ['?cursor=WzFlMzBd', undefined, 400, /`next`/],
    ['?cursor=W10', undefined, 400, /`next`/],
    ['?cursor=bnVsbA', undefined, 400, /`next`/],
    ['?limit=501&model=m', undefined, 400, /1 to 500/],
    ['/1', undefined, 404, /no such route/],
  ]);
});
