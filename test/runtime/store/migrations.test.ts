import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { currentHost } from '../../../runtime/host/index.ts';
import { readMigrations } from '../../../runtime/store/migrations.ts';
import type { PgliteStore } from '../../../runtime/store/pglite.ts';
import { PostgresStore } from '../../../runtime/store/postgres.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { emptyStore } from '../../support/store.ts';

const first = { name: '0001-a', script: 'create table a (x int); insert into a values (1);' };
const second = { name: '0002-b', script: 'create table b as select x + 1 as x from a' };

let store: PgliteStore;
let server: TestPostgres | undefined;
before(async () => {
  store = await emptyStore();
  if (noPostgres === false) server = await startPostgres();
});
after(async () => {
  await store.close();
  await server?.[Symbol.asyncDispose]();
});

const names = async () =>
  (await store.query<{ name: string }>('select name from schema_migrations order by name')).map(
    ({ name }) => name,
  );

test('each migration is applied once, in order', async () => {
  await store.migrate([first]);
  await store.migrate([first, second]);
  await store.migrate([first, second]);
  assert.deepEqual(await store.query('select x from b'), [{ x: 2 }]);
  assert.deepEqual(await names(), ['0001-a', '0002-b']);
});

test('a migration that fails changes nothing', async () => {
  const good = { name: '0003-c', script: 'create table c (x int)' };
  const bad = { name: '0004-d', script: 'create table d (x int); select 1/0' };
  await assert.rejects(store.migrate([first, second, good, bad]), { code: 'INTERNAL' });
  assert.deepEqual(await names(), ['0001-a', '0002-b']);
  await assert.rejects(store.query('select * from c'));
});

test('a database of a newer version is refused', async () => {
  await assert.rejects(store.migrate([first]), {
    code: 'INVALID_CONFIG',
    message:
      "The database has the change '0002-b' of its schema, which is newer than this version of millrace; start the newer version.",
  });
});

test('a migration whose text has changed is refused', async () => {
  await assert.rejects(store.migrate([{ ...first, script: 'select 1' }, second]), {
    code: 'INVALID_CONFIG',
    message: /^The database was made with another text of the change '0001-a'/,
  });
});

test('every file is listed, in order', async () => {
  const folder = path.resolve(import.meta.dirname, '../../../runtime/store/migrations');
  const listed = (await readMigrations()).map(({ name }) => `${name}.sql`);
  assert.deepEqual(listed, readdirSync(folder).toSorted());
});

test('processes that start together apply each migration once', { skip: noPostgres }, async () => {
  const url = await server!.createDatabase();
  const stores = Array.from({ length: 6 }, () => new PostgresStore(url, currentHost()));
  const slow = { ...first, script: `select pg_sleep(0.2); ${first.script}` };
  await Promise.all(stores.map((each) => each.migrate([slow, second])));
  assert.deepEqual(await stores[0]!.query('select count(*) as rows from a'), [{ rows: 1 }]);
  await Promise.all(stores.map((each) => each.close()));
});
