/** @module The thread of the embedded database, which `embedded.ts` starts. */

import type { MessagePort } from 'node:worker_threads';
import { exit, type Parent, parentThread } from '../host/index.ts';
import { toWire, type WireFailure } from './failure.ts';
import { readMigrations } from './migrations.ts';
import { openPglite, PgliteStore } from './pglite.ts';
import { serveStore } from './serve-store.ts';

export interface StoreThreadData {
  readonly folder: string;
  /** Where the store is served; without it, the thread creates the database and ends. */
  readonly port: MessagePort | undefined;
}

/** What the thread tells the one that started it. */
export type StoreThreadEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: WireFailure };

async function run(parent: Parent): Promise<void> {
  const { folder, port } = parent.data as StoreThreadData;
  const tell = (event: StoreThreadEvent) => parent.send(event);
  try {
    const database = await openPglite({ folder });
    if (port === undefined) return await database.close();
    // The memory of a database that failed is not used any more; another thread recovers it from its log.
    const store = new PgliteStore(database, () => exit(1));
    await store.migrate(await readMigrations());
    serveStore(store, port, () => store.close());
    tell({ kind: 'ready' });
  } catch (error) {
    tell({ kind: 'failed', failure: toWire(error) });
    exit(1);
  }
}

const parent = parentThread();
if (parent !== undefined) await run(parent);
