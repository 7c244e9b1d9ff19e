/** @module The thread of the embedded database, which `embedded.ts` starts. */

import type { MessagePort } from 'node:worker_threads';
import { exit, type Parent, parentThread } from '../host/index.ts';
import { toWire, type WireFailure } from './failure.ts';
import { readMigrations } from './migrations.ts';
import { openPglite, syncFolder } from './open-pglite.ts';
import { PgliteStore } from './pglite.ts';
import { serveStore } from './serve-store.ts';
import type { Store } from './store.ts';

export interface StoreThreadData {
  readonly folder: string;
  /** Where the store is served; without it, the thread creates the database and ends. */
  readonly port: MessagePort | undefined;
}

/** What the thread tells the one that started it. */
export type StoreThreadEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: WireFailure };

/** PGlite has no autovacuum, which would do this in a server. */
const VACUUM_MS = 600_000;

async function run(parent: Parent): Promise<void> {
  const { folder, port } = parent.data as StoreThreadData;
  const tell = (event: StoreThreadEvent) => parent.send(event);
  try {
    await (port === undefined ? create(folder) : serve(folder, port));
    tell({ kind: 'ready' });
  } catch (error) {
    tell({ kind: 'failed', failure: toWire(error) });
    exit(1);
  }
}

async function create(folder: string): Promise<void> {
  const database = await openPglite({ folder });
  await database.close();
  syncFolder(folder);
}

async function serve(folder: string, port: MessagePort): Promise<void> {
  const database = await openPglite({ folder });
  // The memory of a database that failed is not used any more; another thread recovers it from its log.
  const store = new PgliteStore(database, () => exit(1));
  await store.migrate(await readMigrations());
  const vacuuming = setInterval(() => vacuum(store).catch(() => {}), VACUUM_MS);
  serveStore(store, port, () => {
    clearInterval(vacuuming);
    return store.close();
  });
}

/** Frees what deleted rows occupied. One table after the other, so that other statements wait for a short time only. */
async function vacuum(store: Store): Promise<void> {
  const tables = await store.query<{ name: string }>(
    "select quote_ident(relname) as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
  );
  for (const { name } of tables) await store.query(`vacuum analyze ${name}`);
}

const parent = parentThread();
if (parent !== undefined) await run(parent);
