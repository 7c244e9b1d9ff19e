import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { currentHost } from '../../../runtime/host/index.ts';
import { createLog } from '../../../runtime/log.ts';
import { openStore } from '../../../runtime/store/index.ts';
import { PostgresStore } from '../../../runtime/store/postgres.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const log = createLog('silent');
const QUERY_MS = 1000;
const unavailable = { code: 'STORE_UNAVAILABLE' };

describe('PostgreSQL', { skip: noPostgres }, () => {
  let server: TestPostgres;
  let url: string;
  let store: PostgresStore;
  before(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    store = new PostgresStore(url, currentHost(), QUERY_MS);
    await store.query('create table t (id int primary key)');
  });
  after(async () => {
    await store.close();
    await server[Symbol.asyncDispose]();
  });

  const answers = () =>
    store.query('select 1').then(
      () => true,
      () => false,
    );

  /** How many statements with this text the server carries out. */
  const running = async (text: string) => {
    const rows = await server.run(
      `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and position('${text}' in query) > 0`,
    );
    return rows.length;
  };

  test('what a cut transaction did is rolled back, and its next statement does not run outside it', async () => {
    const cut = store.transaction(async (sql) => {
      await sql.query('insert into t values (1)');
      await server.terminateBackends();
      await sql.query('insert into t values (2)').catch(() => {});
      await sql.query('insert into t values (3)').catch(() => {});
    });
    await assert.rejects(cut, unavailable);
    await until(answers, 'the database answers');
    assert.deepEqual(await store.query('select id from t'), []);
  });

  test('a listener hears of a gap, and of what comes after it', async () => {
    const heard: string[] = [];
    const end = await store.listen('test_channel', (payload) => heard.push(payload));
    await server.terminateBackends();
    await until(() => heard.includes(''), 'the listener hears of the gap');
    await until(answers, 'the database answers');
    await store.query("select pg_notify('test_channel', 'x')");
    await until(() => heard.includes('x'), 'notifications arrive again');
    await end();
  });

  test('a lock is lost with its connection, and free for others', async () => {
    const lock = await store.tryLock('driver');
    await server.terminateBackends();
    await until(() => lock!.lost.aborted, 'the holder knows');
    const next = await store.tryLock('driver');
    assert.ok(next !== undefined);
    await lock!.release();
    await next.release();
    assert.equal(next.lost.aborted, false);
  });

  test('a statement that takes too long is cancelled', async () => {
    // Connections that an earlier test has cut would fail at once.
    const own = new PostgresStore(url, currentHost(), QUERY_MS);
    const started = performance.now();
    await assert.rejects(own.query('select pg_sleep(60)'), unavailable);
    assert.ok(performance.now() - started >= QUERY_MS - 600);
    assert.equal(await running('pg_sleep(60)'), 0);
    await own.close();
  });

  test('a server that is killed is unavailable, until it is back', {
    timeout: 60_000,
  }, async () => {
    const heard: string[] = [];
    const end = await store.listen('test_channel', (payload) => heard.push(payload));
    await server.kill();
    await assert.rejects(store.query('select 1'), unavailable);
    await assert.rejects(
      store.transaction((sql) => sql.query('select 1')),
      unavailable,
    );
    await assert.rejects(store.tryLock('driver'), unavailable);
    await assert.rejects(openStore({ databaseUrl: url, stateDir: '' }, log), (error: Error) => {
      assert.match(error.message, /^The database of DATABASE_URL cannot be used: [A-Z_]+\.$/);
      return true;
    });
    for (let i = 0; i < 5; i += 1) await assert.rejects(store.query('select 1'), unavailable);
    await server.start();
    await until(answers, 'the database answers');
    await until(() => heard.includes(''), 'the listener hears of the gap');
    await store.query("select pg_notify('test_channel', 'x')");
    await until(() => heard.includes('x'), 'notifications arrive again');
    await end();
  });

  test('a database that does not exist is a sentence', async () => {
    const databaseUrl = url.replace(/\w+$/, 'nowhere');
    await assert.rejects(openStore({ databaseUrl, stateDir: '' }, log), {
      code: 'STORE_UNAVAILABLE',
      message: 'The database of DATABASE_URL cannot be used: database "nowhere" does not exist.',
    });
  });

  test('closing waits for statements', async () => {
    const closing = new PostgresStore(url, currentHost());
    const slow = closing.query('select 1 as a from pg_sleep(0.2)');
    // The statement is on its way when the store is closed.
    await until(async () => (await running('pg_sleep(0.2)')) === 1, 'the statement runs');
    await closing.close();
    assert.deepEqual(await slow, [{ a: 1 }]);
    await assert.rejects(closing.query('select 1'), unavailable);
  });

  test('a server that hangs makes statements fail in time', async () => {
    server.pause();
    const failures = await Promise.allSettled([
      store.query('select 1'),
      store.transaction((sql) => sql.query('select 1')),
    ]);
    for (const failure of failures) {
      assert.equal(failure.status === 'rejected' && failure.reason.code, 'STORE_UNAVAILABLE');
    }
    server.resume();
    await until(answers, 'the database answers');
  });
});
