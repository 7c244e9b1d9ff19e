import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { testStore } from '../../support/store.ts';
import { AUTHOR, clear, rejects, type TestCatalog, testCatalog } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

/** A catalog in which `m` has the versions v1 to v3. */
async function withVersions(): Promise<TestCatalog> {
  const t = await testCatalog({ store });
  for (const version of ['v1', 'v2', 'v3']) await t.register('m', version);
  return t;
}

const stableOf = async ({ catalog }: TestCatalog) => (await catalog.model('m')).labels.stable;

describe('promotion', () => {
  test('moves stable and the weights at once, and a rollback moves them back', async () => {
    await using t = await withVersions();
    await t.catalog.promote('m', 'v1', AUTHOR, undefined);
    t.routes.routes.set('m', {
      ...{ model: 'm', source: 'database' },
      route: { weights: { v1: 0.8, v2: 0.2 } },
    });
    await t.catalog.promote('m', 'v2', AUTHOR, undefined);
    const [event] = await t.catalog.events('m', 1);
    assert.deepEqual(event?.before, { stable: 'v1', weights: { v1: 0.8, v2: 0.2 } });
    assert.deepEqual(event?.after, { stable: 'v2', weights: { v2: 1 } });
    await t.catalog.rollback('m', AUTHOR, undefined);
    assert.equal(await stableOf(t), 'v1');
    assert.deepEqual(t.routes.routes.get('m')?.route.weights, { v1: 1 });
    await t.catalog.rollback('m', AUTHOR, undefined);
    assert.equal(await stableOf(t), 'v2', 'a second rollback undoes the first one');
  });

  test('to the version that is stable already keeps what it was before', async () => {
    await using t = await withVersions();
    for (const version of ['v1', 'v2', 'v2']) {
      await t.catalog.promote('m', version, AUTHOR, undefined);
    }
    await t.catalog.rollback('m', AUTHOR, undefined);
    assert.equal(await stableOf(t), 'v1');
  });

  test('of a split model, if it is the first one, is rolled back to the version that had most requests', async () => {
    await using t = await withVersions();
    const weights = { v1: 0.2, v2: 0.7, v3: 0.1 };
    t.routes.routes.set('m', { model: 'm', source: 'database', route: { weights } });
    await t.catalog.promote('m', 'v3', AUTHOR, undefined);
    await t.catalog.rollback('m', AUTHOR, undefined);
    assert.equal(await stableOf(t), 'v2');
  });

  test('is compare-and-set: of many with the same revision one is made', async () => {
    await using t = await withVersions();
    const { revision } = await t.catalog.model('m');
    const outcomes = await Promise.allSettled(
      ['v1', 'v2', 'v3', 'v1', 'v2', 'v3'].map((version) =>
        t.catalog.promote('m', version, AUTHOR, [revision]),
      ),
    );
    const made = outcomes.filter(({ status }) => status === 'fulfilled');
    assert.equal(made.length, 1);
    const events = await t.catalog.events('m', 100);
    assert.equal(events.filter(({ what }) => what === 'promote').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'STALE_REVISION');
    }
  });

  test('takes the revision of the model or of its label stable', async () => {
    await using t = await withVersions();
    await t.catalog.promote('m', 'v1', AUTHOR, undefined);
    const label = await t.catalog.label('m', 'stable');
    await t.catalog.setLabel('m', 'beta', 'v3', AUTHOR, undefined);
    await t.catalog.promote('m', 'v2', AUTHOR, [label.revision]);
    await rejects(
      t.catalog.promote('m', 'v3', AUTHOR, [label.revision]),
      'STALE_REVISION',
      /model 'm' has been changed/,
    );
    assert.equal(await stableOf(t), 'v2');
  });

  test('of a version that cannot serve, and a rollback to nothing, change nothing', async () => {
    await using t = await withVersions();
    await rejects(t.catalog.promote('m', 'v9', AUTHOR, undefined), 'VERSION_NOT_FOUND', /'v9'/);
    await rejects(t.catalog.promote('n', 'v1', AUTHOR, undefined), 'MODEL_NOT_FOUND', /'n'/);
    await rejects(
      t.catalog.rollback('m', AUTHOR, undefined),
      'CONFLICT',
      /no other version was stable/,
    );
    await t.catalog.archive('m', 'v3', false, AUTHOR, undefined);
    await rejects(t.catalog.promote('m', 'v3', AUTHOR, undefined), 'CONFLICT', /is archived/);
    await t.catalog.promote('m', 'v1', AUTHOR, undefined);
    await t.catalog.promote('m', 'v2', AUTHOR, undefined);
    t.routes.routes.delete('m');
    await t.catalog.archive('m', 'v1', false, AUTHOR, undefined);
    await rejects(t.catalog.rollback('m', AUTHOR, undefined), 'CONFLICT', /'v1'.*is archived/);
    assert.equal(await stableOf(t), 'v2');
  });
});

describe('a label', () => {
  test('has a revision that it never had before, also when it was deleted in between', async () => {
    await using t = await withVersions();
    const first = await t.catalog.setLabel('m', 'beta', 'v1', AUTHOR, 'none');
    await rejects(
      t.catalog.setLabel('m', 'beta', 'v1', AUTHOR, 'none'),
      'STALE_REVISION',
      /exists already/,
    );
    await t.catalog.deleteLabel('m', 'beta', AUTHOR, [first.revision]);
    const second = await t.catalog.setLabel('m', 'beta', 'v1', AUTHOR, undefined);
    assert.ok(second.revision > first.revision);
    await rejects(
      t.catalog.setLabel('m', 'beta', 'v2', AUTHOR, [first.revision]),
      'STALE_REVISION',
      /has another/,
    );
    assert.equal((await t.catalog.label('m', 'beta')).version, 'v1');
  });

  test('keeps its version from being archived, as weights and shadows do', async () => {
    await using t = await withVersions();
    await t.catalog.setLabel('m', 'beta', 'v1', AUTHOR, undefined);
    const weights = { v1: 1, v2: 0 };
    const shadow = { version: 'v3', fraction: 0.1 };
    t.routes.routes.set('m', { model: 'm', source: 'file', route: { weights, shadow } });
    const archive = (version: string) => t.catalog.archive('m', version, true, AUTHOR, undefined);
    await rejects(archive('v1'), 'CONFLICT', /the label 'beta' names it, the route gives it/);
    await rejects(archive('v3'), 'CONFLICT', /it is the shadow/);
    assert.equal((await archive('v2')).state, 'archived');
  });

  test('may name a version of the repository, of a model that was never registered', async () => {
    await using t = await testCatalog({ store }, { iris: ['v1', 'v2'] });
    assert.equal((await t.catalog.model('iris')).revision, 0);
    await t.catalog.setLabel('iris', 'stable', 'v1', AUTHOR, undefined);
    const { models } = await t.catalog.snapshot();
    assert.deepEqual(models, [
      {
        ...{ name: 'iris', versions: [], labels: { stable: 'v1' } },
        ...{ route: undefined, routeSource: undefined },
      },
    ]);
    await rejects(
      t.catalog.setLabel('iris', 'v2', 'v1', AUTHOR, undefined),
      'CONFLICT',
      /has a version 'v2'/,
    );
    await rejects(
      t.catalog.archive('iris', 'v1', false, AUTHOR, undefined),
      'CONFLICT',
      /lies in MODEL_PATH/,
    );
  });
});
