import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createLog } from '../../../runtime/log.ts';
import { openEmbedded } from '../../../runtime/store/embedded.ts';
import { temporaryFiles } from '../../support/files.ts';
import { stateFolder } from '../../support/store.ts';
import { until } from '../../support/until.ts';

const silent = createLog('silent');
const unavailable = { code: 'STORE_UNAVAILABLE' };

test('a new database is made whole, and keeps what was written', async () => {
  using state = temporaryFiles({});
  const folder = path.join(state.path, 'new/db');
  // A start that was killed leaves an unfinished database.
  mkdirSync(`${folder}.new`, { recursive: true });
  writeFileSync(path.join(`${folder}.new`, 'PG_VERSION'), 'half');
  const store = await openEmbedded(folder, silent);
  await store.query('create table t as select 1 as a');
  await store.close();
  assert.equal(existsSync(`${folder}.new`), false);
  const again = await openEmbedded(folder, silent);
  assert.deepEqual(await again.query('select a from t'), [{ a: 1 }]);
  await again.close();
});

test('a database that has failed is opened again, and listeners hear of the gap', async () => {
  using state = await stateFolder();
  const folder = path.join(state.path, 'db');
  const store = await openEmbedded(folder, silent);
  const heard: string[] = [];
  await store.listen('test_channel', (payload) => heard.push(payload));
  await store.query('create table t (a int)');
  await store.query('insert into t values (1)');
  const lock = await store.tryLock('driver');
  // Without its log, PostgreSQL panics at the next segment.
  renameSync(path.join(folder, 'pg_wal'), path.join(state.path, 'away'));
  await assert.rejects(
    store.transaction(async (sql) => {
      await sql.query('insert into t values (2)');
      await sql.query('select pg_switch_wal()');
      await sql.query('insert into t values (3)');
    }),
    unavailable,
  );
  await assert.rejects(store.query('select 1'), unavailable);
  renameSync(path.join(state.path, 'away'), path.join(folder, 'pg_wal'));
  await until(() => heard.length > 0, 'the database is open again');
  assert.deepEqual(heard, ['']);
  assert.deepEqual(await store.query('select a from t'), [{ a: 1 }]);
  await store.query("select pg_notify('test_channel', 'x')");
  await until(() => heard.length > 1, 'notifications arrive again');
  assert.deepEqual(heard, ['', 'x']);
  // The process has had the database all the time.
  assert.equal(lock?.lost.aborted, false);
  await store.close();
});

test('a channel that is listened to again tells each notification once', async () => {
  using state = await stateFolder();
  const store = await openEmbedded(path.join(state.path, 'db'), silent);
  const heard: string[] = [];
  const listen = () => store.listen('test_channel', (payload) => heard.push(payload));
  await (await listen())();
  await listen();
  for (const payload of ['x', 'y'])
    await store.query(`select pg_notify('test_channel', '${payload}')`);
  await until(() => heard.includes('y'), 'the notifications arrive');
  await store.close();
  assert.deepEqual(heard, ['x', 'y']);
});

test('closing does not wait for a database that cannot be opened', async () => {
  using state = await stateFolder();
  const folder = path.join(state.path, 'db');
  const lines: string[] = [];
  const log = createLog('error', { write: (line) => void lines.push(JSON.parse(line).msg) });
  const store = await openEmbedded(folder, log);
  await store.query('create table t as select pg_switch_wal()');
  rmSync(path.join(folder, 'pg_wal'), { recursive: true });
  await assert.rejects(store.query('insert into t select pg_switch_wal()'), unavailable);
  await until(() => lines.includes('the embedded database cannot be opened'), 'it is tried');
  await store.close();
  assert.equal(existsSync(`${folder}.lock`), false);
});

test('a folder that cannot be written is a sentence', async () => {
  using state = temporaryFiles({ file: '' });
  await assert.rejects(openEmbedded(path.join(state.path, 'file/db'), silent), {
    code: 'INVALID_CONFIG',
    message: /^STATE_DIR cannot be written: E[A-Z]+\.$/,
  });
});

test('a damaged database is not started', async () => {
  using state = temporaryFiles({ 'db/PG_VERSION': '18' });
  await assert.rejects(openEmbedded(path.join(state.path, 'db'), silent), unavailable);
  assert.equal(existsSync(path.join(state.path, 'db.lock')), false);
});
