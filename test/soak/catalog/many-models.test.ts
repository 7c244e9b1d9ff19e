/** @module A catalog of 100,000 models answers as fast as one of a few. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createLog } from '../../../runtime/log.ts';
import { openStore, type Store } from '../../../runtime/store/index.ts';
import { AUTHOR, type TestCatalog, testCatalog } from '../../runtime/catalog/support.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { testStore } from '../../support/store.ts';

const MODELS = 100_000;
const REPETITIONS = 20;
/** Milliseconds that a call may take in the middle of its repetitions, also on a busy machine. */
const LIMIT_MS = 250;
const SNAPSHOT_LIMIT_MS = 20_000;

let server: TestPostgres | undefined;
const implementations: Readonly<Record<string, { skip: string | false; open(): Promise<Store> }>> =
  {
    PostgreSQL: {
      skip: noPostgres,
      async open() {
        server = await startPostgres();
        return openStore({ databaseUrl: server.url, stateDir: '' }, createLog('silent'));
      },
    },
    PGlite: { skip: false, open: testStore },
  };

async function fill(store: Store): Promise<void> {
  const number = `lpad(i::text, 6, '0')`;
  for (let from = 1; from <= MODELS; from += 10_000) {
    const series = `generate_series(${from}, ${from + 9_999}) i`;
    await store.query(
      `insert into models (name, revision, created_by)
       select 'model-' || ${number}, nextval('catalog_revision'), 'ann' from ${series}`,
    );
    await store.query(
      `insert into model_versions (model, version, state, claim, digest, bytes, signature_status,
         metadata, created_by)
       select 'model-' || ${number}, 'v1', 'ready', i, 'sha256:' || i, 1, 'unsigned', '{}', 'ann'
       from ${series}`,
    );
    await store.query(
      `insert into catalog_events (model, who, what)
       select 'model-' || ${number}, 'ann', 'register' from ${series}`,
    );
  }
  await store.query('analyze');
}

/** The median time of a call, milliseconds. */
async function timeOf(call: (i: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPETITIONS; i += 1) {
    const start = performance.now();
    await call(i);
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[REPETITIONS >> 1]!;
}

for (const [name, { skip, open }] of Object.entries(implementations)) {
  describe(`${MODELS} models in ${name}`, { skip }, () => {
    let store: Store;
    let t: TestCatalog;
    before(async () => {
      store = await open();
      await fill(store);
      t = await testCatalog({ store });
    });
    after(async () => {
      await t[Symbol.asyncDispose]();
      await store.close();
      await server?.[Symbol.asyncDispose]();
      server = undefined;
    });

    const calls: Readonly<Record<string, (i: number) => Promise<unknown>>> = {
      'the first page': () => t.catalog.models(51),
      'a page in the middle': () => t.catalog.models(501, 'model-050000'),
      'one model': (i) => t.catalog.model(`model-0${50_000 + i}`),
      'a version': (i) => t.catalog.version(`model-0${50_000 + i}`, 'v1'),
      'a registration': (i) => t.register(`new-${i}`, 'v1'),
      'a promotion': (i) => t.catalog.promote(`model-0${50_000 + i}`, 'v1', AUTHOR, undefined),
      'the events of a model': (i) => t.catalog.events(`model-0${50_000 + i}`, 50),
      'the last events': () => t.catalog.events(undefined, 500),
      'an archiving': (i) =>
        t.catalog.archive(`model-0${60_000 + i}`, 'v1', false, AUTHOR, undefined),
      maintenance: () => t.catalog.maintain(),
    };
    for (const [what, call] of Object.entries(calls)) {
      test(`${what} is fast`, async () => {
        const ms = await timeOf(call);
        console.log(`${name}: ${what}: ${ms.toFixed(1)} ms`);
        assert.ok(ms < LIMIT_MS, `${ms} ms`);
      });
    }

    test('the list has each of them once', async () => {
      const names = new Set<string>();
      for (let after = ''; ; ) {
        const page = await t.catalog.models(500, after);
        for (const model of page) names.add(model.name);
        if (page.length < 500) break;
        after = page.at(-1)!.name;
      }
      assert.equal(names.size, MODELS + REPETITIONS);
    });

    test('a snapshot of all of them is made', async () => {
      const start = performance.now();
      const { models } = await t.catalog.snapshot();
      const ms = performance.now() - start;
      console.log(`${name}: snapshot: ${ms.toFixed(0)} ms`);
      assert.equal(models.length, MODELS + REPETITIONS - REPETITIONS);
      assert.ok(ms < SNAPSHOT_LIMIT_MS, `${ms} ms`);
    });
  });
}
