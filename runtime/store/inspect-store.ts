/** @module Looks at the database that the settings name, and changes nothing. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/index.ts';
import { currentHost } from '../host/index.ts';
import { pendingMigrations, readMigrations } from './migrations.ts';
import { startError } from './open-store.ts';
import { isOwned } from './owner-lock.ts';
import { PostgresStore } from './postgres.ts';
import type { Row } from './store.ts';

/**
 * What a start would find: a database that is `ready`, one that it makes (`new`) or brings up to date (`old`), or an embedded
 * one that another process has open (`in use`). An embedded database is not opened, so it may turn out to be old or damaged.
 */
export type StoreState = 'ready' | 'new' | 'old' | 'in use';

/** @throws {ServeError} as `openStore` */
export async function inspectStore({
  databaseUrl,
  stateDir,
}: Pick<Config, 'databaseUrl' | 'stateDir'>): Promise<StoreState> {
  if (databaseUrl !== undefined) return inspectPostgres(databaseUrl);
  const folder = path.join(stateDir, 'db');
  if (isOwned(`${folder}.lock`)) return 'in use';
  return existsSync(path.join(folder, 'PG_VERSION')) ? 'ready' : 'new';
}

async function inspectPostgres(url: string): Promise<StoreState> {
  const store = new PostgresStore(url, currentHost());
  try {
    const made = await store.query(
      `select from pg_class where oid = to_regclass('schema_migrations')`,
    );
    if (made.length === 0) return 'new';
    const applied = await store.query<Row>('select name, checksum from schema_migrations');
    return pendingMigrations(await readMigrations(), applied).length === 0 ? 'ready' : 'old';
  } catch (error) {
    throw startError(error);
  } finally {
    await store.close();
  }
}
