/** @module Two servers change one catalog at the same time, on every store; on PostgreSQL their transactions really overlap. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CATALOG_CHANNEL } from '../../runtime/catalog/index.ts';
import { createLog } from '../../runtime/log.ts';
import { openStore, type Store } from '../../runtime/store/index.ts';
import { AUTHOR, expire, type TestCatalog, testCatalog } from '../runtime/catalog/support.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

let server: TestPostgres;
before(async () => {
  if (noPostgres === false) server = await startPostgres();
});
after(() => server?.[Symbol.asyncDispose]());

/** Opens one database for two servers. */
const implementations = {
  PostgreSQL: {
    skip: noPostgres,
    async open(): Promise<readonly [Store, Store]> {
      const config = { databaseUrl: await server.createDatabase(), stateDir: '' };
      const log = createLog('silent');
      return Promise.all([openStore(config, log), openStore(config, log)]);
    },
  },
  'PGlite in memory': {
    skip: false as const,
    async open(): Promise<readonly [Store, Store]> {
      const store = await testStore();
      return [store, store];
    },
  },
};

const ROUNDS = 3;

/** The codes of the calls that failed. */
async function failures(calls: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const outcomes = await Promise.allSettled(calls);
  return outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []));
}

for (const [name, { skip, open }] of Object.entries(implementations)) {
  describe(name, { skip }, () => {
    let stores: readonly [Store, Store];
    let one: TestCatalog;
    let two: TestCatalog;
    before(async () => {
      stores = await open();
      one = await testCatalog({ store: stores[0] });
      // Both servers use the same artifacts.
      two = await testCatalog({ store: stores[1], artifacts: one.parts.artifacts });
    });
    after(async () => {
      await two[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
      for (const store of new Set(stores)) await store.close();
    });

    test('the same content registered twice at once is one version', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const version = `same-${round}`;
        const made = await Promise.all([one, two].map((t) => t.register('m', version, 'abc')));
        assert.deepEqual(made.map(({ isNew }) => isNew).toSorted(), [false, true]);
        assert.deepEqual(made[0]!.version, {
          ...made[1]!.version,
          revision: made[0]!.version.revision,
        });
      }
    });

    test('other content registered at once is a conflict for one of them', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const version = `other-${round}`;
        const calls = [one.register('m', version, 'abc'), two.register('m', version, 'abd')];
        assert.deepEqual(await failures(calls), ['CONFLICT']);
        assert.equal((await one.catalog.version('m', version)).state, 'ready');
      }
    });

    test('of changes with the same revision one is made', async () => {
      await one.register('race', 'v1');
      await one.register('race', 'v2');
      for (let round = 0; round < ROUNDS; round += 1) {
        const { revision } = await one.catalog.model('race');
        const calls = ['v1', 'v2', 'v1', 'v2'].map((version, i) =>
          [one, two][i % 2]!.catalog.promote('race', version, AUTHOR, [revision]),
        );
        const codes = await failures(calls);
        assert.deepEqual(codes, ['STALE_REVISION', 'STALE_REVISION', 'STALE_REVISION']);
      }
    });

    test('changes of several models and labels at once do not block each other', async () => {
      await one.register('other', 'v1');
      const calls = Array.from({ length: 4 * ROUNDS }, (_, i) => {
        const { catalog } = [one, two][i % 2]!;
        const model = ['race', 'other'][(i >> 1) % 2]!;
        return i % 3 === 0
          ? catalog.promote(model, 'v1', AUTHOR, undefined)
          : catalog.setLabel(model, `label-${i % 5}`, 'v1', AUTHOR, undefined);
      });
      assert.deepEqual(await failures(calls), []);
    });

    test('a rollback that is repeated with its key by another server is made once', async () => {
      await one.catalog.promote('race', 'v1', AUTHOR, undefined);
      await one.catalog.promote('race', 'v2', AUTHOR, undefined);
      const once = { who: 'ann', once: { owner: 'ann', key: 'back', request: 'rollback' } };
      const [first, second] = await Promise.all(
        [one, two].map((t) => t.catalog.rollback('race', once, undefined)),
      );
      assert.deepEqual(first, second);
      assert.equal((await two.catalog.model('race')).labels.stable, 'v1');
    });

    test('a version is not archived while a label is set to it', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const version = `v${round}`;
        await one.register('used', version);
        const codes = await failures([
          one.catalog.setLabel('used', 'beta', version, AUTHOR, undefined),
          two.catalog.archive('used', version, true, AUTHOR, undefined),
        ]);
        assert.deepEqual(codes, ['CONFLICT']);
        const { state } = await one.catalog.version('used', version);
        const { labels } = await one.catalog.model('used');
        assert.equal(state === 'ready', labels.beta === version);
      }
    });

    test('files that are registered while the same ones are purged stay', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await one.register('p', `v${round}`, 'shared');
        const [, { version }] = await Promise.all([
          one.catalog.archive('p', `v${round}`, true, AUTHOR, undefined),
          two.register('q', `v${round}`, 'shared'),
        ]);
        assert.equal(await one.parts.artifacts.has(version.digest!), true);
        await two.catalog.archive('q', `v${round}`, true, AUTHOR, undefined);
        await one.catalog.maintain();
        assert.equal(await one.parts.artifacts.has(version.digest!), false);
      }
    });

    test('an abandoned version is rejected by one of the servers that find it', async () => {
      const held = Promise.withResolvers<never>();
      const dead = await testCatalog({ store: stores[0], probe: () => held.promise });
      const lost = dead.register('dead', 'v1');
      const state = async () => (await one.catalog.version('dead', 'v1')).state;
      await until(async () => (await state().catch(() => '')) === 'validating', 'it is tried');
      await expire(stores[0]);
      await Promise.all([one.catalog.maintain(), two.catalog.maintain()]);
      const events = await one.catalog.events('dead', 10);
      assert.deepEqual(
        events.map(({ what }) => what),
        ['reject', 'register'],
      );
      held.reject(new Error('killed'));
      await assert.rejects(lost, /killed/);
      await dead[Symbol.asyncDispose]();
    });

    test('the other server hears of each change', async () => {
      const heard: string[] = [];
      const stop = await stores[1].listen(CATALOG_CHANNEL, (model) => void heard.push(model));
      await one.register('heard', 'v1');
      await one.catalog.promote('heard', 'v1', AUTHOR, undefined);
      await until(() => heard.filter((model) => model === 'heard').length === 3, 'it is told');
      await stop();
    });
  });
}
