import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { noPostgres, startPostgres } from './postgres.ts';
import { noRedis, startRedis } from './redis.ts';

test('PostgreSQL keeps what was committed when it is killed', { skip: noPostgres }, async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`create table t (a int)`;
  await sql`insert into t values (1)`;
  await sql.end();
  await server.kill();
  await server.start();
  const again = postgres(url, { max: 1 });
  assert.deepEqual([...(await again`select a from t`)], [{ a: 1 }]);
  await again.end();
});

test('Redis keeps its append-only file when it is killed', { skip: noRedis }, async () => {
  await using server = await startRedis({ appendonly: 'yes', appendfsync: 'always' });
  const client = new Redis(server.url);
  await client.set('a', '1');
  client.disconnect();
  await server.kill();
  await server.start();
  const again = new Redis(server.url);
  assert.equal(await again.get('a'), '1');
  again.disconnect();
});
