/** @module The schema of the database, as SQL files that are applied in order, each once and in one transaction for all. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ServeError } from '../errors.ts';
import { MIGRATION_MS } from './deadlines.ts';
import type { Row } from './store.ts';

/** A connection of its own, for statements that the port does not allow: several in one text, and transactions by hand. */
export interface SchemaConnection {
  /** Runs statements without parameters. */
  execute(script: string): Promise<void>;
  query(text: string, values?: readonly (string | number)[]): Promise<readonly Row[]>;
}

export interface Migration {
  readonly name: string;
  readonly script: string;
}

/** The files of `migrations/`, in their order. One that was released is never changed. */
const NAMES = ['0001-catalog', '0002-traffic', '0003-jobs'] as const;

/** The key of the advisory lock: the first bytes of the SHA-256 of `millrace migrations`. */
const LOCK = 4_119_362_977;

export async function readMigrations(): Promise<readonly Migration[]> {
  return Promise.all(
    NAMES.map(async (name) => ({
      name,
      script: await readFile(new URL(`migrations/${name}.sql`, import.meta.url), 'utf8'),
    })),
  );
}

/**
 * Applies the migrations that the database does not have. Processes that start at the same time wait for each other.
 *
 * @throws {ServeError} `INVALID_CONFIG` if the database has a migration that this version does not know, or another text
 * of one
 */
export async function migrate(
  connection: SchemaConnection,
  migrations: readonly Migration[],
): Promise<void> {
  await connection.execute('begin');
  try {
    await connection.execute(
      `set local statement_timeout = 0; set local lock_timeout = ${MIGRATION_MS}`,
    );
    await connection.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await connection.execute(
      'create table if not exists schema_migrations (name text primary key, checksum text not null, applied_at timestamptz not null default now())',
    );
    const applied = await connection.query('select name, checksum from schema_migrations');
    for (const migration of pendingMigrations(migrations, applied)) {
      await connection.execute(migration.script);
      await connection.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
        migration.name,
        checksum(migration),
      ]);
    }
    await connection.execute('commit');
  } catch (error) {
    await connection.execute('rollback').catch(() => {});
    throw error;
  }
}

/**
 * The migrations that a database does not have.
 *
 * @param applied The rows of `schema_migrations`.
 * @throws {ServeError} as `migrate`
 */
export function pendingMigrations(
  migrations: readonly Migration[],
  applied: readonly Row[],
): readonly Migration[] {
  for (const { name, checksum: stored } of applied) {
    const known = migrations.find((migration) => migration.name === name);
    if (known === undefined) {
      throw new ServeError(
        'INVALID_CONFIG',
        `The database has the change '${name}' of its schema, which is newer than this version of millrace; start the newer version.`,
      );
    }
    if (checksum(known) !== stored) {
      throw new ServeError(
        'INVALID_CONFIG',
        `The database was made with another text of the change '${name}' of its schema; start the version of millrace that made it, or name another database.`,
      );
    }
  }
  const names = new Set(applied.map(({ name }) => name));
  return migrations.filter(({ name }) => !names.has(name));
}

const checksum = ({ script }: Migration) => createHash('sha256').update(script).digest('hex');
