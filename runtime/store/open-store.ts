/** @module Opens the store that the settings name. */

import path from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { currentHost, SqlError } from '../host/index.ts';
import type { Log } from '../log.ts';
import { openEmbedded } from './embedded.ts';
import { readMigrations } from './migrations.ts';
import { PostgresStore } from './postgres.ts';
import { RemoteStore } from './remote-store.ts';
import { serveStore } from './serve-store.ts';
import type { Store } from './store.ts';

/**
 * Opens the PostgreSQL of `DATABASE_URL`, or else the embedded database in `STATE_DIR/db`, and brings its schema up to
 * date. Only one process can open the embedded database, and in it one thread, which shares it with `shareStore`.
 *
 * @throws {ServeError} `STORE_UNAVAILABLE` if the database cannot be reached; `INVALID_CONFIG` if it cannot be used
 */
export async function openStore(
  { databaseUrl, stateDir }: Pick<Config, 'databaseUrl' | 'stateDir'>,
  log: Log,
): Promise<Store> {
  if (databaseUrl === undefined) return openEmbedded(path.join(stateDir, 'db'), log);
  const store = new PostgresStore(databaseUrl, currentHost());
  try {
    await store.migrate(await readMigrations());
    return store;
  } catch (error) {
    await store.close();
    throw startError(error);
  }
}

/** The error of a start that the database has failed, with the reason as far as it names no address. */
export function startError(error: unknown): unknown {
  if (!(error instanceof ServeError) || error.code === 'INVALID_CONFIG') return error;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : 'no answer';
  const reason = cause instanceof SqlError ? cause.message : code;
  const message = `The database of DATABASE_URL cannot be used: ${reason}.`;
  return new ServeError('STORE_UNAVAILABLE', message, { cause });
}

/** How another thread of this process gets a store; it can be sent to it. */
export type StoreTicket =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'embedded'; readonly port: MessagePort };

/**
 * Lets another thread use the store. The connection to PostgreSQL is one of its own.
 *
 * @returns What to pass to `joinStore` in that thread, and what of it must be moved rather than copied.
 */
export function shareStore(
  store: Store,
  { databaseUrl }: Pick<Config, 'databaseUrl'>,
): { readonly ticket: StoreTicket; readonly moved: readonly MessagePort[] } {
  if (databaseUrl !== undefined)
    return { ticket: { kind: 'postgres', url: databaseUrl }, moved: [] };
  const { port1, port2 } = new MessageChannel();
  serveStore(store, port1);
  return { ticket: { kind: 'embedded', port: port2 }, moved: [port2] };
}

/** Opens the store that another thread has opened first. */
export function joinStore(ticket: StoreTicket): Store {
  return ticket.kind === 'postgres'
    ? new PostgresStore(ticket.url, currentHost())
    : new RemoteStore(ticket.port, ticket.kind);
}
