import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { changeOnce, forgetOldKeys, type OnceKey } from '../../../runtime/catalog/once.ts';
import type { Sql } from '../../../runtime/store/store.ts';
import { testStore } from '../../support/store.ts';
import { clear, rejects } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

const key: OnceKey = { owner: 'ann', key: 'k1', request: 'promote v1' };

/** A change that leaves a trace. */
async function change(sql: Sql) {
  await sql.query(`insert into catalog_events (model, who, what) values ('m', 'ann', 'x')`);
  const [row] = await sql.query<{ made: number }>(
    'select count(*)::int as made from catalog_events',
  );
  return { made: row!.made };
}

const made = async () => (await store.query('select 1 from catalog_events')).length;

test('a change with a key is made once, also if it is asked for twice at the same time', async () => {
  const results = await Promise.all([1, 2, 3].map(() => changeOnce(store, key, change)));
  assert.deepEqual(results, [{ made: 1 }, { made: 1 }, { made: 1 }]);
  assert.equal(await made(), 1);
  await changeOnce(store, undefined, change);
  await changeOnce(store, { ...key, owner: 'bob' }, change);
  assert.equal(await made(), 3);
});

test('the key of another request is a conflict', async () => {
  await changeOnce(store, key, change);
  const other = { ...key, request: 'promote v2' };
  await rejects(changeOnce(store, other, change), 'CONFLICT', /Idempotency-Key was used/);
  assert.equal(await made(), 1);
});

test('a change that fails leaves nothing, and its key is free', async () => {
  const failing = async (sql: Sql) => {
    await change(sql);
    throw new Error('no');
  };
  await assert.rejects(changeOnce(store, key, failing), /no/);
  assert.equal(await made(), 0);
  assert.deepEqual(await changeOnce(store, key, change), { made: 1 });
});

test('a key is forgotten after a day', async () => {
  await changeOnce(store, key, change);
  await forgetOldKeys(store);
  await changeOnce(store, key, change);
  assert.equal(await made(), 1);
  await store.query(`update idempotency_keys set created_at = now() - interval '25 hours'`);
  await forgetOldKeys(store);
  await changeOnce(store, key, change);
  assert.equal(await made(), 2);
});
