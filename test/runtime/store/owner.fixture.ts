/** @module Opens the embedded database in the folder that it is given, writes rows, and says which were acknowledged. */
import process from 'node:process';
import { createLog } from '../../../runtime/log.ts';
import { openEmbedded } from '../../../runtime/store/embedded.ts';

const folder = process.argv[2]!;
try {
  const store = await openEmbedded(folder, createLog('silent'));
  await store.query('create table if not exists acknowledged (id int primary key)');
  const [last] = await store.query<{ id: number }>(
    'select coalesce(max(id), 0) as id from acknowledged',
  );
  for (let id = last!.id + 1; ; id += 1) {
    await store.query('insert into acknowledged values ($1)', [id]);
    process.stdout.write(`${id}\n`);
  }
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
