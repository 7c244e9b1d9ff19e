import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, beforeEach, test } from 'node:test';
import { hashArtifact } from '../../../runtime/artifacts/index.ts';
import type { ServeError } from '../../../runtime/errors.ts';
import { testStore } from '../../support/store.ts';
import { AUTHOR, clear, FOUND, testCatalog } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

/** Asserts that a promise rejects with a code and a sentence. */
const rejects = (work: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(work, (error: ServeError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });

test('a version is registered with what the probe found, and its files are stored', async () => {
  await using t = await testCatalog({ store });
  const { version, isNew } = await t.register('iris', 'v1.0', 'abc', { metadata: { a: [1] } });
  assert.equal(isNew, true);
  const { digest } = await hashArtifact(t.files('abc'));
  const { created_at, ...rest } = version;
  assert.match(created_at!, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    name: 'iris',
    version: 'v1.0',
    state: 'ready',
    reason: null,
    digest,
    bytes: 3,
    signature_status: 'unsigned',
    metadata: { a: [1] },
    config: null,
    ...FOUND,
    purged: false,
    created_by: 'ann',
  });
  assert.equal(await t.parts.artifacts.has(digest), true);
  assert.deepEqual(await t.catalog.version('iris', 'v1.0'), version);
  const { models } = await t.catalog.snapshot();
  assert.deepEqual(
    models.map(({ name, versions }) => [name, versions.map((v) => v.version)]),
    [['iris', ['v1.0']]],
  );
  const events = await t.catalog.events('iris', 10);
  assert.deepEqual(
    events.map(({ what, who }) => [what, who]),
    [
      ['ready', 'ann'],
      ['register', 'ann'],
    ],
  );
});

test('the same content again is the same version, other content or configuration a conflict', async () => {
  await using t = await testCatalog({ store });
  const first = await t.register('iris', 'v1', 'abc');
  const again = await t.register('iris', 'v1', 'abc');
  assert.equal(again.isNew, false);
  assert.deepEqual(again.version, first.version);
  await rejects(t.register('iris', 'v1', 'abd'), 'CONFLICT', /exists with another content/);
  const config = { instances: 2 };
  await rejects(t.register('iris', 'v1', 'abc', { config }), 'CONFLICT', /another configuration/);
  assert.deepEqual(await t.catalog.version('iris', 'v1'), first.version);
});
