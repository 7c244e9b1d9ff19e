import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { testStore } from '../../support/store.ts';
import { AUTHOR, clear, rejects, testCatalog } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

test('a purge frees the files after the last reference, and only then', async () => {
  await using t = await testCatalog({ store });
  const { version: first } = await t.register('a', 'v1', 'same');
  await t.register('b', 'v1', 'same');
  const has = () => t.parts.artifacts.has(first.digest!);
  const purged = await t.catalog.archive('a', 'v1', true, AUTHOR, undefined);
  assert.deepEqual([purged.state, purged.purged], ['archived', true]);
  assert.equal(await has(), true);
  await t.catalog.archive('b', 'v1', false, AUTHOR, undefined);
  assert.equal(await has(), true);
  await t.catalog.archive('b', 'v1', true, AUTHOR, undefined);
  assert.equal(await has(), false);
  assert.deepEqual(await store.query('select * from artifact_garbage'), []);
});

test('an archived name is never used again, with whatever content', async () => {
  await using t = await testCatalog({ store });
  await t.register('a', 'v1', 'one');
  const archived = await t.catalog.archive('a', 'v1', false, AUTHOR, undefined);
  await rejects(t.register('a', 'v1', 'one'), 'CONFLICT', /never used again/);
  await rejects(t.register('a', 'v1', 'two'), 'CONFLICT', /never used again/);
  const again = await t.catalog.archive('a', 'v1', false, AUTHOR, undefined);
  assert.deepEqual({ ...again, revision: 0 }, { ...archived, revision: 0 });
  await t.catalog.archive('a', 'v1', true, AUTHOR, undefined);
  await rejects(t.register('a', 'v1', 'two'), 'CONFLICT', /never used again/);
});

test('files that are registered while others of the same content are purged stay', async () => {
  await using t = await testCatalog({ store });
  for (let round = 0; round < 10; round += 1) {
    await t.register('a', `v${round}`, 'same');
    const [, { version }] = await Promise.all([
      t.catalog.archive('a', `v${round}`, true, AUTHOR, undefined),
      t.register('b', `v${round}`, 'same'),
    ]);
    assert.equal(await t.parts.artifacts.has(version.digest!), true, `round ${round}`);
    await t.catalog.archive('b', `v${round}`, true, AUTHOR, undefined);
    assert.equal(await t.parts.artifacts.has(version.digest!), false, `round ${round}`);
  }
});

test('a deletion that always fails does not keep others from their turn, and is not tried by many at once', async () => {
  await using t = await testCatalog({ store });
  const { artifacts } = t.parts;
  const { version: stuck } = await t.register('a', 'v1');
  const { version: other } = await t.register('b', 'v1');
  let tried = 0;
  const flaky = {
    async delete(digest: string) {
      if (digest !== stuck.digest) return artifacts.delete(digest);
      tried += 1;
      throw new Error('refused');
    },
  };
  await using broken = await testCatalog({ store, artifacts: flaky as never });
  for (const { name, digest } of [stuck, other]) {
    await t.catalog.archive(name, 'v1', false, AUTHOR, undefined);
    await store.query('update model_versions set purged_at = now() where digest = $1', [digest]);
    await store.query('insert into artifact_garbage (digest) values ($1)', [digest]);
  }
  await broken.catalog.maintain();
  assert.equal(await artifacts.has(other.digest!), true);
  await Promise.all(Array.from({ length: 10 }, () => broken.catalog.maintain()));
  assert.equal(await artifacts.has(other.digest!), false);
  assert.equal(tried, 2);
  assert.deepEqual(await store.query('select digest from artifact_garbage'), [
    { digest: stuck.digest },
  ]);
});

test('a deletion that fails is made up for later', async () => {
  await using t = await testCatalog({ store });
  const { artifacts } = t.parts;
  let isDown = true;
  const flaky = {
    has: (digest: string) => artifacts.has(digest),
    delete: (digest: string) =>
      isDown ? Promise.reject(new Error('down')) : artifacts.delete(digest),
  };
  const { version } = await t.register('a', 'v1');
  await using broken = await testCatalog({ store, artifacts: flaky as never });
  const record = await broken.catalog.archive('a', 'v1', true, AUTHOR, undefined);
  assert.equal(record.purged, true);
  assert.equal(await artifacts.has(version.digest!), true);
  isDown = false;
  await broken.catalog.maintain();
  assert.equal(await artifacts.has(version.digest!), false);
});
