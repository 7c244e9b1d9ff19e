import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPostgresJs } from '../../../runtime/host/postgres-js.ts';
import { noPostgres, startPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

test('a pool that was closed opens no connection for those that wait', {
  skip: noPostgres,
}, async () => {
  await using server = await startPostgres();
  const session = { application_name: 'closing' };
  const options = { max: 1, connectSecs: 3, idleSecs: 60, session };
  const pool = await openPostgresJs(server.url, options);
  const slow = pool.run('select 1 from pg_sleep(1)');
  const waiting = pool.run('select 1');
  waiting.catch(() => {});
  const running = () =>
    server.run(
      "select 1 from pg_stat_activity where application_name = 'closing' and state = 'active'",
    );
  await until(async () => (await running()).length === 1, 'the statement runs');
  await pool.end(5);
  assert.equal((await slow).rows.length, 1);
  await assert.rejects(waiting, /closed/);
  await assert.rejects(pool.run('select 1'), /closed/);
  const open = await server.run(
    "select 1 from pg_stat_activity where application_name = 'closing'",
  );
  assert.equal(open.length, 0);
});
