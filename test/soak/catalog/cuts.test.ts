/** @module Changes of the catalog while all connections to PostgreSQL are cut again and again: none is lost, none made twice. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ServeError } from '../../../runtime/errors.ts';
import { createLog } from '../../../runtime/log.ts';
import { openStore, type Store } from '../../../runtime/store/index.ts';
import { type TestCatalog, testCatalog } from '../../runtime/catalog/support.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';

const CHANGES = 5000;
const REGISTRATIONS = 100;
const AT_ONCE = 16;
/** A change takes ten statements, which on a busy machine must fit in between. */
const CUT_MS = 250;
const MODELS = 8;

const skip = noPostgres;
let server: TestPostgres;
let stores: readonly Store[];
let servers: readonly TestCatalog[];
before(async () => {
  if (skip !== false) return;
  server = await startPostgres();
  const config = { databaseUrl: server.url, stateDir: '' };
  stores = await Promise.all([1, 2].map(() => openStore(config, createLog('silent'))));
  const one = await testCatalog({ store: stores[0]! });
  const two = await testCatalog({ store: stores[1]!, artifacts: one.parts.artifacts });
  servers = [one, two];
});
after(async () => {
  for (const each of [...(servers ?? [])].reverse()) await each[Symbol.asyncDispose]();
  for (const store of stores ?? []) await store.close();
  await server?.[Symbol.asyncDispose]();
});

/** Repeats a call as a client does that gets a 503, and returns how often it was made. */
async function insist(call: () => Promise<unknown>): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await call();
      return attempt;
    } catch (error) {
      const isTemporary = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (!isTemporary) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Makes all calls, a few at once, while connections are cut. @returns the attempts and the cuts */
async function underCuts(count: number, call: (i: number) => Promise<unknown>) {
  let next = 0;
  let attempts = 0;
  let cuts = 0;
  const cutting = setInterval(() => {
    cuts += 1;
    server.terminateBackends().catch(() => {});
  }, CUT_MS);
  const work = async () => {
    for (let i = next++; i < count; i = next++) {
      const made = await insist(() => call(i));
      attempts += made;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  clearInterval(cutting);
  return { attempts, cuts };
}

test(`${CHANGES} changes with a key are each made once`, { skip }, async () => {
  for (let i = 0; i < MODELS; i += 1) await servers[0]!.register(`m${i}`, 'v1');
  const { attempts, cuts } = await underCuts(CHANGES, (i) => {
    const once = { owner: 'ann', key: `key-${i}`, request: `label-${i}` };
    const author = { who: 'ann', once };
    return servers[i % 2]!.catalog.setLabel(
      `m${i % MODELS}`,
      `label-${i}`,
      'v1',
      author,
      undefined,
    );
  });
  console.log(`${CHANGES} changes in ${attempts} attempts, ${cuts} cuts`);
  assert.ok(cuts > 10, `${cuts} cuts`);
  const rows = await stores[0]!.query<{ label: string; made: number }>(
    `select after->>'label' as label, count(*) as made from catalog_events
     where what = 'set_label' group by 1`,
  );
  assert.equal(rows.length, CHANGES);
  assert.deepEqual(
    rows.filter(({ made }) => made !== 1),
    [],
  );
  assert.equal((await stores[1]!.query('select 1 from model_labels')).length, CHANGES);
});

test(`${REGISTRATIONS} registrations that are repeated are each ready, with their files`, {
  skip,
}, async () => {
  const { attempts, cuts } = await underCuts(REGISTRATIONS, async (i) => {
    await servers[i % 2]!.register('r', `v${i}`, `content ${i}`);
  });
  console.log(`${REGISTRATIONS} registrations in ${attempts} attempts, ${cuts} cuts`);
  const versions = await servers[0]!.catalog.versions('r', 500);
  assert.equal(versions.length, REGISTRATIONS);
  for (const { state, digest } of versions) {
    assert.equal(state, 'ready');
    assert.equal(await servers[0]!.parts.artifacts.has(digest!), true);
  }
});
