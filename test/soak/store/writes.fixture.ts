/**
 * @module Writes numbered rows with several writers, and says which were acknowledged. What a failure leaves unknown is
 * asked and written again, as a client with an idempotency key does. It goes on after every failure, until it is killed.
 */
import process from 'node:process';
import { createLog } from '../../../runtime/log.ts';
import { openStore } from '../../../runtime/store/index.ts';

const [databaseUrl, stateDir, from = '1'] = process.argv.slice(2) as [string, string, string?];
const WRITERS = 16;

process.on('uncaughtException', (error) => {
  process.stdout.write(`uncaught ${error.message}\n`);
});

const config = { databaseUrl: databaseUrl === '' ? undefined : databaseUrl, stateDir };
const store = await openStore(config, createLog('silent'));
await store.query('create table if not exists acknowledged (id int, writer int)');
process.stdout.write('open\n');

let next = Number(from);
async function write(writer: number): Promise<void> {
  for (;;) {
    const id = next;
    next += 1;
    for (;;) {
      try {
        await store.transaction(async (sql) => {
          // Two statements, so that a cut may come in between.
          const [known] = await sql.query('select 1 from acknowledged where id = $1', [id]);
          if (known === undefined) {
            await sql.query('insert into acknowledged values ($1, $2)', [id, writer]);
          }
        });
        break;
      } catch {
        process.stdout.write('failed\n');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    process.stdout.write(`${id}\n`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
