/** @module Embedded stores for tests: one in memory, and folders in which a service finds one. */

import { createHash } from 'node:crypto';
import {
  cpSync,
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
import { openPglite } from '../../runtime/store/open-pglite.ts';
import { PgliteStore } from '../../runtime/store/pglite.ts';
import type { Store } from '../../runtime/store/store.ts';
import { type TemporaryFiles, temporaryFiles } from './files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface TestStore extends Store, AsyncDisposable {}

/**
 * Opens a store in memory to which all migrations were applied. It runs in the thread of the test, and takes a third of a
 * second: one for each file is enough. The caller closes it, or declares it with `await using`.
 */
export async function testStore(): Promise<TestStore> {
  const store = await emptyStore();
  await store.migrate(await readMigrations());
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** Opens a store in memory to which no migrations were applied. */
export async function emptyStore(): Promise<PgliteStore> {
  const file = await made('.tar', async (target) => {
    const database = await openPglite({});
    const files = await database.dumpDataDir('none');
    await database.close();
    writeFileSync(target, new Uint8Array(await files.arrayBuffer()));
  });
  return new PgliteStore(await openPglite({ image: await openAsBlob(file) }), (error) => {
    throw error;
  });
}

/**
 * A folder for `STATE_DIR` that already has a new embedded database, so that a service need not spend seconds on making
 * one. The caller declares it with `using`.
 */
export async function stateFolder(): Promise<TemporaryFiles> {
  const database = await made('', async (target) => (await openPglite({ folder: target })).close());
  const state = temporaryFiles({});
  cpSync(database, path.join(state.path, 'db'), { recursive: true });
  return state;
}

/** A file or folder that takes seconds to make and is kept for later runs. */
async function made(suffix: string, make: (target: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['package-lock.json', 'runtime/store/open-pglite.ts']) {
    hash.update(readFileSync(path.join(root, name)));
  }
  const name = `${hash.digest('hex').slice(0, 16)}${suffix}`;
  const target = path.join(root, '.millrace/test-store', name);
  if (existsSync(target)) return target;
  const unfinished = `${target}.${process.pid}`;
  mkdirSync(path.dirname(target), { recursive: true });
  await make(unfinished);
  // Another process may have been faster, with the same result.
  if (!existsSync(target)) renameSync(unfinished, target);
  return target;
}
