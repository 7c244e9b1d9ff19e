/** @module Tests the `Store` contract with all its implementations. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createLog } from '../../runtime/log.ts';
import {
  joinStore,
  openStore,
  type Store,
  shareStore,
  sqlState,
} from '../../runtime/store/index.ts';
import { RemoteStore } from '../../runtime/store/remote-store.ts';
import { serveStore } from '../../runtime/store/serve-store.ts';
import type { TemporaryFiles } from '../support/files.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { stateFolder, testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

const log = createLog('silent');

let server: TestPostgres;
let folder: TemporaryFiles;
before(async () => {
  folder = await stateFolder();
  if (noPostgres === false) server = await startPostgres();
});
after(async () => {
  folder[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Opens a store twice, as two threads of a process do. */
interface Implementation {
  readonly skip: string | false;
  open(): Promise<{ one: Store; other: Store; close(): Promise<void> }>;
}

async function opened(config: { databaseUrl: string | undefined; stateDir: string }) {
  const one = await openStore(config, log);
  const { ticket } = shareStore(one, config);
  const other = joinStore(ticket);
  return {
    one,
    other,
    async close() {
      await other.close();
      await one.close();
    },
  };
}

const implementations: Readonly<Record<string, Implementation>> = {
  PostgreSQL: {
    skip: noPostgres,
    open: async () => opened({ databaseUrl: await server.createDatabase(), stateDir: folder.path }),
  },
  'PGlite in a thread': {
    skip: false,
    open: () => opened({ databaseUrl: undefined, stateDir: folder.path }),
  },
  'PGlite in memory': {
    skip: false,
    async open() {
      const one = await testStore();
      const { port1, port2 } = new MessageChannel();
      serveStore(one, port1);
      const other = new RemoteStore(port2, 'embedded');
      const close = async () => {
        await other.close();
        await one.close();
      };
      return { one, other, close };
    },
  },
};

/** The codes of an error: ours, and that of PostgreSQL. */
const codes = (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error);
  assert.doesNotMatch(error.message, /\/|\d{3}\.|relation|syntax/);
  return [error.code, sqlState(error)];
};

const rejection = async (promise: Promise<unknown>) => {
  try {
    await promise;
  } catch (error) {
    return codes(error);
  }
  return assert.fail('the promise was fulfilled');
};

for (const [name, { skip, open }] of Object.entries(implementations)) {
  describe(name, { skip }, () => {
    let one: Store;
    let other: Store;
    let close: () => Promise<void>;
    before(async () => {
      ({ one, other, close } = await open());
      await one.query('create table pairs (id int primary key, word text)');
    });
    after(() => close());

    test('the migrations are applied', async () => {
      const rows = await other.query<{ name: string }>(
        'select name from schema_migrations order by name',
      );
      assert.deepEqual(rows[0], { name: '0001-catalog' });
    });

    test('values arrive as what the contract says', async () => {
      const at = new Date('2026-01-02T03:04:05.678Z');
      const bytes = Uint8Array.of(0, 1, 255);
      for (const store of [one, other]) {
        const [row] = await store.query(
          'select $1::timestamptz as at, $2::bytea as bytes, $3::bigint as big, $4::jsonb as json, $5::boolean as yes, $6::text as word, $7::double precision as half, $8::int as nothing, $9::numeric as exact',
          [at, bytes, 2 ** 40, '{"a":[1,"b"]}', true, 'x', 0.5, null, 7],
        );
        assert.deepEqual(row, {
          ...{ at, bytes, big: 2 ** 40, json: { a: [1, 'b'] }, yes: true, word: 'x' },
          ...{ half: 0.5, nothing: null, exact: 7 },
        });
        assert.equal(row?.bytes instanceof Uint8Array, true);
      }
    });

    test('lists travel as JSON text', async () => {
      const rows = await other.query(
        'select r.id, r.word from jsonb_to_recordset($1::jsonb) as r(id int, word text) order by r.id',
        ['[{"id":2,"word":"b"},{"id":1,"word":"a"}]'],
      );
      assert.deepEqual(rows, [
        { id: 1, word: 'a' },
        { id: 2, word: 'b' },
      ]);
    });

    test('a text parameter of a JSON column may be any JSON', async () => {
      const [row] = await one.query('select $1::jsonb as text, $2::jsonb as list', ['"a"', '[]']);
      assert.deepEqual(row, { text: 'a', list: [] });
    });

    test('a refused statement has the code of PostgreSQL', async () => {
      for (const store of [one, other]) {
        assert.deepEqual(await rejection(store.query('select * from nowhere')), [
          'INTERNAL',
          '42P01',
        ]);
        assert.deepEqual(await rejection(store.query('select 1/$1::int', [0])), [
          'INTERNAL',
          '22012',
        ]);
      }
      await one.query('insert into pairs values (100, null)');
      assert.deepEqual(await rejection(other.query('insert into pairs values (100, null)')), [
        'INTERNAL',
        '23505',
      ]);
      assert.deepEqual(await one.query('select 1 as a'), [{ a: 1 }]);
    });

    test('a transaction is committed as a whole, or not at all', async () => {
      const insert = (store: Store, id: number, fail: boolean) =>
        store.transaction(async (sql) => {
          await sql.query('insert into pairs values ($1, $2)', [id, 'a']);
          await sql.query('insert into pairs values ($1, $2)', [id + 1, 'b']);
          if (fail) throw new Error('changed my mind');
          return id;
        });
      for (const store of [one, other]) {
        await assert.rejects(insert(store, 1, true), /^Error: changed my mind$/);
        assert.deepEqual(await store.query('select id from pairs where id < 3'), []);
      }
      assert.equal(await insert(other, 1, false), 1);
      assert.equal((await one.query('select id from pairs where id < 3')).length, 2);
    });

    test('a transaction whose failed statement was overlooked rejects', async () => {
      for (const store of [one, other]) {
        const work = store.transaction(async (sql) => {
          await sql.query('insert into pairs values (50, null)');
          await sql.query('select 1/0').catch(() => {});
        });
        assert.deepEqual(await rejection(work), ['INTERNAL', '25P02']);
        assert.deepEqual(await store.query('select id from pairs where id = 50'), []);
      }
    });

    test('a transaction that is over takes no statements', async () => {
      for (const store of [one, other]) {
        const sql = await store.transaction(async (sql) => sql);
        assert.deepEqual(await rejection(sql.query('select 1')), ['STORE_UNAVAILABLE', undefined]);
      }
    });

    test('what a transaction reads and then writes is not changed in between', async () => {
      await one.query("insert into pairs values (10, '0')");
      const add = (store: Store) =>
        store.transaction(async (sql) => {
          const [row] = await sql.query<{ word: string }>(
            'select word from pairs where id = 10 for update',
          );
          await sql.query('update pairs set word = $1 where id = 10', [`${Number(row!.word) + 1}`]);
        });
      await Promise.all(Array.from({ length: 20 }, (_, i) => add(i % 2 === 0 ? one : other)));
      assert.deepEqual(await other.query('select word from pairs where id = 10'), [{ word: '20' }]);
    });

    test('notifications arrive with the commit, in every thread', async () => {
      const heard: string[] = [];
      const ends = [
        await one.listen('test_channel', (payload) => heard.push(`one ${payload}`)),
        await one.listen('test_channel', (payload) => heard.push(`again ${payload}`)),
        await other.listen('test_channel', (payload) => heard.push(`other ${payload}`)),
      ];
      await other
        .transaction(async (sql) => {
          await sql.query("select pg_notify('test_channel', 'lost')");
          throw new Error('no');
        })
        .catch(() => {});
      await one.transaction((sql) => sql.query("select pg_notify('test_channel', 'x')"));
      await until(() => heard.length === 3, 'all listeners are called');
      assert.deepEqual(heard.toSorted(), ['again x', 'one x', 'other x']);
      await ends[0]!();
      await ends[2]!();
      await other.query("select pg_notify('test_channel', 'y')");
      await until(() => heard.length === 4, 'the last listener is called');
      assert.equal(heard[3], 'again y');
      await ends[1]!();
    });

    test('one holds a lock at a time', async () => {
      const held = await one.tryLock('canary iris');
      assert.ok(held !== undefined);
      assert.equal(await other.tryLock('canary iris'), undefined);
      assert.equal(await one.tryLock('canary iris'), undefined);
      const second = await other.tryLock('canary wine');
      assert.ok(second !== undefined);
      await held.release();
      const next = await other.tryLock('canary iris');
      assert.ok(next !== undefined && !held.lost.aborted && !second.lost.aborted);
      await Promise.all([next.release(), second.release()]);
    });
  });
}
