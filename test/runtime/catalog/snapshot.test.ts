import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { testStore } from '../../support/store.ts';
import { AUTHOR, clear, type TestCatalog, testCatalog } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

/** The served versions of each model. */
async function served({ catalog }: TestCatalog): Promise<Record<string, readonly string[]>> {
  const { models } = await catalog.snapshot();
  return Object.fromEntries(
    models.map(({ name, versions }) => [name, versions.map(({ version }) => version)]),
  );
}

test('versions are served in natural order, as the policy and their uses say', async () => {
  await using t = await testCatalog({ store });
  for (const version of ['v1.10', 'v1.9', 'v2', 'v1']) await t.register('m', version);
  const choose = (policy: Parameters<typeof t.catalog.setVersionPolicy>[1]) =>
    t.catalog.setVersionPolicy('m', policy, AUTHOR, undefined);
  assert.deepEqual(await served(t), { m: ['v1', 'v1.9', 'v1.10', 'v2'] });
  await choose({ latest: 2 });
  assert.deepEqual(await served(t), { m: ['v1.10', 'v2'] });
  await choose({ specific: ['v1.9', 'v7'] });
  assert.deepEqual(await served(t), { m: ['v1.9'] });
  await t.catalog.setLabel('m', 'beta', 'v1', AUTHOR, undefined);
  t.routes.routes.set('m', {
    ...{ model: 'm', source: 'database' },
    route: { weights: { v2: 1 }, shadow: { version: 'v1.10', fraction: 1 } },
  });
  assert.deepEqual(await served(t), { m: ['v1', 'v1.9', 'v1.10', 'v2'] });
  await choose('all');
  await t.catalog.archive('m', 'v1.9', false, AUTHOR, undefined);
  assert.deepEqual(await served(t), { m: ['v1', 'v1.10', 'v2'] });
});

test('a snapshot holds what a server needs to load a version, and no other models', async () => {
  await using t = await testCatalog({ store }, { iris: ['v1'] });
  const config = { instances: 2 };
  const signature = { a: 1 };
  const { version } = await t.register('m', 'v1', 'abc', { config, signature });
  assert.deepEqual((await t.catalog.snapshot()).models, [
    {
      name: 'm',
      versions: [{ version: 'v1', digest: version.digest, config, signature, path: '' }],
      labels: {},
      ...{ route: undefined, routeSource: undefined },
    },
  ]);
});

test('each change is announced with the name of its model', async () => {
  await using t = await testCatalog({ store });
  const heard: string[] = [];
  const stop = await store.listen('millrace_catalog', (model) => void heard.push(model));
  await t.register('m', 'v1');
  await t.catalog.promote('m', 'v1', AUTHOR, undefined);
  await stop();
  assert.deepEqual(
    heard.filter((model) => model !== ''),
    ['m', 'm', 'm'],
  );
});
