import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { FOUND, refuses, type TestGateway, testGateway } from './support.ts';

let gateway: TestGateway;
before(async () => {
  const probe = async ({ version }: { version: string }) => {
    if (version === 'bad') throw new ServeError('REJECTED', 'It is damaged.');
    return FOUND;
  };
  const models = {
    iris: { versions: { 'v1.0': '' } },
    triton: { triton: 'max_batch_size: 8 response_cache { enable: true }', versions: { '1': '' } },
  };
  gateway = await testGateway({ probe, models });
  for (const version of ['v1', 'v2', 'v3', 'bad', 'old']) await gateway.register('m', version);
  await gateway.send('DELETE', '/admin/models/m/versions/old');
});
after(() => gateway[Symbol.asyncDispose]());

test('versions are listed in pages with their states, and read with the ETag of their model', async () => {
  const { send } = gateway;
  const found: string[] = [];
  let next = '';
  do {
    const { body } = await send('GET', `/admin/models/m/versions?limit=2${next}`);
    for (const { version, state } of body.items) found.push(`${version} ${state}`);
    next = body.next === null ? '' : `&cursor=${body.next}`;
  } while (next !== '');
  assert.deepEqual(found, ['bad rejected', 'old archived', 'v1 ready', 'v2 ready', 'v3 ready']);
  const { headers, body } = await send('GET', '/admin/models/m/versions/bad');
  assert.equal(body.reason, 'It is damaged.');
  assert.equal(headers.get('etag'), (await send('GET', '/admin/models/m')).headers.get('etag'));
  const repository = await send('GET', '/admin/models/iris/versions/v1.0');
  assert.deepEqual([repository.body.state, repository.body.digest], ['ready', null]);
  assert.equal(repository.body.notes, undefined);
});

test('a version that is served has the notes of /ready', async () => {
  const { send } = gateway;
  const { models } = (await send('GET', '/ready')).body;
  const { notes } = models.find(({ name }: { name: string }) => name === 'triton').versions[0];
  assert.ok(notes.length > 0);
  assert.deepEqual((await send('GET', '/admin/models/triton/versions/1')).body.notes, notes);
});

test('a version is archived and purged once no label names it', async () => {
  const { send, runtime } = gateway;
  const path = '/admin/models/m/versions/v3';
  await send('PUT', '/admin/models/m/labels/beta', { version: 'v3' });
  const refused = await send('DELETE', path);
  assert.deepEqual([refused.status, refused.body.code], [409, 'CONFLICT']);
  await send('DELETE', '/admin/models/m/labels/beta');
  const archived = await send('DELETE', path);
  assert.deepEqual([archived.status, archived.body.state], [200, 'archived']);
  const { artifacts } = runtime.platform!;
  assert.equal(await artifacts.has(archived.body.digest), true);
  const purged = await send('DELETE', `${path}?purge`);
  assert.deepEqual([purged.status, purged.body.purged], [200, true]);
  assert.equal(await artifacts.has(archived.body.digest), false);
  assert.equal((await gateway.register('m', 'v3')).status, 409);
  assert.equal((await send('GET', path)).body.state, 'archived');
});

test('a label is set, moved by its revision, and deleted', async () => {
  const { send } = gateway;
  const path = '/admin/models/m/labels/test';
  const made = await send('PUT', `${path}?strict`, { version: 'v1' }, { 'If-None-Match': '*' });
  assert.deepEqual([made.status, made.body.version, made.body.previous], [200, 'v1', null]);
  const read = await send('GET', path);
  assert.equal(read.headers.get('etag'), made.headers.get('etag'));
  const match = { 'If-Match': read.headers.get('etag')! };
  const moved = await send('PUT', path, { version: 'v2' }, match);
  assert.deepEqual([moved.status, moved.body.previous], [200, 'v1']);
  assert.equal((await send('PUT', path, { version: 'v1' }, match)).status, 412);
  assert.equal((await send('DELETE', path, undefined, match)).status, 412);
  const { body } = await send('GET', '/admin/models/m/labels');
  assert.deepEqual(body, { items: [moved.body], next: null });
  const fresh = { 'If-Match': moved.headers.get('etag')! };
  assert.equal((await send('DELETE', path, undefined, fresh)).status, 200);
  assert.equal((await send('GET', path)).status, 404);
});

test('labels are listed in pages, by name', async () => {
  const { send } = gateway;
  const names = ['one', 'three', 'two'];
  for (const name of names) await send('PUT', `/admin/models/m/labels/${name}`, { version: 'v1' });
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await send('GET', `/admin/models/m/labels?limit=1${cursor}`);
    assert.equal(body.items.length, 1);
    seen.push(body.items[0].label);
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
  }
  assert.deepEqual(seen, names);
  for (const name of names) await send('DELETE', `/admin/models/m/labels/${name}`);
});

describe('mistakes', () => {
  refuses(() => gateway, 'GET', '/admin/models/', [
    ['none/versions', undefined, 404, /no model 'none'/],
    ['m/versions?limit=0', undefined, 400, /1 to 500/],
    ['m/versions?cursor=1', undefined, 400, /`next`/],
    ['%00/versions', undefined, 404, /no model/],
    ['m/versions/v9', undefined, 404, /no version 'v9'/],
    ['m/versions/V1', undefined, 404, /no version 'V1'/],
    ['m/versions/..%2fv1', undefined, 404, /no version/],
    ['m/versions/%00', undefined, 404, /no version/],
    ['none/versions/v1', undefined, 404, /no model 'none'/],
    ['iris/versions/v9', undefined, 404, /'iris' has no version/],
    [`m/versions/${'v'.repeat(4000)}`, undefined, 404, /no version/],
    ['none/labels', undefined, 404, /no model/],
    ['m/labels?limit=501', undefined, 400, /1 to 500/],
    ['m/labels?cursor=1', undefined, 400, /`next`/],
    ['m/labels/none', undefined, 404, /no label 'none'/],
    ['m/labels/%00', undefined, 404, /no label/],
    ['none/labels/stable', undefined, 404, /no model/],
  ]);
  refuses(() => gateway, 'DELETE', '/admin/models/', [
    ['none/versions/v1', undefined, 404, /no model/],
    ['m/versions/v9', undefined, 404, /no version 'v9'/],
    ['m/versions/%00', undefined, 404, /no version/],
    ['m/versions/v1?purge=yes', undefined, 400, /\?purge must be true or false/],
    ['m/versions/v1?strict', undefined, 428, /needs If-Match/],
    ['m/versions/v1', undefined, 412, /read it again/, { 'If-Match': '"1"' }],
    ['m/versions/v1', undefined, 412, /exists already/, { 'If-None-Match': '*' }],
    ['m/versions/v1', undefined, 400, /If-Match must be/, { 'If-Match': 'abc' }],
    ['m/versions/v1', undefined, 400, /visible ASCII/, { 'Idempotency-Key': '' }],
    ['iris/versions/v1.0', undefined, 409, /lies in MODEL_PATH/],
    ['m/versions', undefined, 405, /does not take DELETE/],
    ['m/labels/none', undefined, 404, /no label 'none'/],
    ['none/labels/stable', undefined, 404, /no model/],
    ['m/labels/stable?strict', undefined, 428, /needs If-Match/],
    ['m/labels/stable', undefined, 412, /does not exist/, { 'If-Match': '*' }],
    ['m/labels/%00', undefined, 404, /no label/],
  ]);
  refuses(() => gateway, 'PUT', '/admin/models/m/labels/', [
    ['beta', undefined, 400, /version must be a string/],
    ['beta', { version: null }, 400, /version must be a string/],
    ['beta', { version: 'v9' }, 404, /no version 'v9'/],
    ['beta', { version: 'bad' }, 409, /is rejected/],
    ['beta', { version: 'old' }, 409, /is archived/],
    ['beta', { version: 'v1', note: 1 }, 400, /unknown key 'note'/],
    ['Beta', { version: 'v1' }, 400, /lower-case letter/],
    ['-beta', { version: 'v1' }, 400, /lower-case letter/],
    ['1beta', { version: 'v1' }, 400, /lower-case letter/],
    ['a'.repeat(64), { version: 'v1' }, 400, /lower-case letter/],
    ['a%00', { version: 'v1' }, 400, /lower-case letter/],
    ['..%2fstable', { version: 'v1' }, 400, /lower-case letter/],
    ['v2', { version: 'v1' }, 409, /has a version 'v2'/],
    ['beta?strict', { version: 'v1' }, 428, /If-None-Match: \*/],
    ['beta', { version: 'v1' }, 412, /does not exist/, { 'If-Match': '"1"' }],
    ['beta', { version: 'v1' }, 412, /does not exist/, { 'If-Match': '*' }],
  ]);
});
