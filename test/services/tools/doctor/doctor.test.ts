import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import type { Config } from '../../../../runtime/index.ts';
import { lockOwner } from '../../../../runtime/store/owner-lock.ts';
import { examine } from '../../../../services/tools/doctor/index.ts';
import { temporaryFiles } from '../../../support/files.ts';
import { noPostgres, startPostgres } from '../../../support/postgres.ts';
import { noRedis, startRedis } from '../../../support/redis.ts';
import { testConfig } from '../../../support/service.ts';

const NOWHERE = 'http://127.0.0.1:1';

/** What the examination says about one thing. */
async function check(name: string, settings: Partial<Config>, url = NOWHERE) {
  using state = temporaryFiles({});
  const config = { ...testConfig(state.path), stateDir: state.path, ...settings };
  const checks = await examine(config, url);
  return checks.find((each) => each.name === name)!;
}

test('a device that cannot be used is found by loading a model on it', async () => {
  const onCpu = await check('engine', { device: 'cpu' });
  assert.deepEqual([onCpu.state, /DEVICE=cpu$/.test(onCpu.detail)], ['ok', true]);
  // No machine has so many GPUs.
  const found = await check('engine', { device: 'cuda:9999' });
  assert.equal(found.state, 'failed');
  assert.match(found.detail, /DEVICE=cuda:9999: Cannot load/);
});

test('a database is not made by looking for it', async () => {
  using files = temporaryFiles({});
  const found = await check('database', { stateDir: files.path });
  assert.deepEqual(
    [found.state, found.detail],
    ['missing', 'embedded; the first start creates it'],
  );
  assert.deepEqual(readdirSync(files.path), []);
});

test('a database that a server has open is as it should be', async () => {
  using files = temporaryFiles({ 'db/PG_VERSION': '17' });
  const stateDir = files.path;
  assert.equal((await check('database', { stateDir })).detail, 'embedded; there');
  const lock = await lockOwner(path.join(stateDir, 'db.lock'));
  const found = await check('database', { stateDir });
  lock.release();
  assert.deepEqual([found.state, found.detail], ['ok', 'embedded; open in another process']);
});

test('the schema of a PostgreSQL is looked at, and not changed', { skip: noPostgres }, async () => {
  await using server = await startPostgres();
  const databaseUrl = server.url;
  const found = await check('database', { databaseUrl });
  assert.deepEqual(
    [found.state, found.detail],
    ['missing', 'PostgreSQL; the first start creates it'],
  );
  const made = await server.run("select from pg_class where relname = 'schema_migrations'");
  assert.equal(made.length, 0);
  await server.run('create table schema_migrations (name text, checksum text)');
  assert.match((await check('database', { databaseUrl })).detail, /brings its schema up to date/);
  await server.run("insert into schema_migrations values ('9999-later', '')");
  const later = await check('database', { databaseUrl });
  assert.deepEqual([later.state, /'9999-later'/.test(later.detail)], ['failed', true]);
});

test('a Redis that refuses CONFIG can be used', { skip: noRedis }, async () => {
  await using redis = await startRedis({ 'rename-command CONFIG': '' });
  const settings = { redisUrl: redis.url, queueRedisUrl: redis.url };
  assert.equal((await check('response cache', settings)).state, 'ok');
  assert.match((await check('job queue', settings)).detail, /maxmemory-policy noeviction/);
});

test('a Redis that cannot be reached has a remedy that names its setting', async () => {
  const url = 'redis://127.0.0.1:1';
  for (const [name, setting, settings] of [
    ['response cache', 'REDIS_URL', { redisUrl: url }],
    ['job queue', 'QUEUE_REDIS_URL', { queueRedisUrl: url }],
  ] as const) {
    const { state, detail, remedy } = await check(name, settings);
    assert.deepEqual([state, remedy], ['failed', `start Redis, or correct ${setting}`]);
    assert.match(detail, /^Redis cannot be used: .*ECONNREFUSED/);
  }
});

test('a server that is not a millrace is no server', async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  const found = await check('server', {}, `http://127.0.0.1:${port}`);
  server.closeAllConnections();
  server.close();
  assert.deepEqual([found.state, /another server/.test(found.detail)], ['failed', true]);
});
