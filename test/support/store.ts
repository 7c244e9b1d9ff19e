/** @module An embedded store in memory, for tests of what is stored. */

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  openAsBlob,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readMigrations } from '../../runtime/store/migrations.ts';
import { openPglite, PgliteStore } from '../../runtime/store/pglite.ts';
import type { Store } from '../../runtime/store/store.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface TestStore extends Store, AsyncDisposable {}

/**
 * Opens a store in memory to which all migrations were applied. It runs in the thread of the test, and takes a third of a
 * second: one for each file is enough. The caller closes it, or declares it with `await using`.
 */
export async function testStore(): Promise<TestStore> {
  const store = new PgliteStore(await openPglite({ image: await image() }), (error) => {
    throw error;
  });
  await store.migrate(await readMigrations());
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** The files of a new database, which take two seconds to make and are kept for later runs. */
async function image(): Promise<Blob> {
  const used = ['package-lock.json', 'runtime/store/pglite.ts'];
  const hash = createHash('sha256');
  for (const name of used) hash.update(readFileSync(path.join(root, name)));
  const file = path.join(root, '.millrace/test-store', `${hash.digest('hex').slice(0, 16)}.tar`);
  if (!existsSync(file)) {
    const database = await openPglite({});
    const files = await database.dumpDataDir('none');
    await database.close();
    mkdirSync(path.dirname(file), { recursive: true });
    const part = `${file}.${process.pid}`;
    writeFileSync(part, new Uint8Array(await files.arrayBuffer()));
    renameSync(part, file);
  }
  return openAsBlob(file);
}
