/** @module The store over PGlite, PostgreSQL in WebAssembly. It runs its statements on the thread that opens it. */

import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { ServeError } from '../errors.ts';
import { SqlError } from '../host/index.ts';
import { TRANSACTION_MS, within } from './deadlines.ts';
import { late, storeFailure, unavailable } from './failure.ts';
import { Listeners } from './listeners.ts';
import { LocalLocks } from './local-locks.ts';
import { type Migration, migrate } from './migrations.ts';
import type { NamedLock, Row, Sql, SqlValue, Store } from './store.ts';

export class PgliteStore implements Store {
  readonly kind = 'embedded';
  readonly #database: PGlite;
  readonly #onFailure: (error: unknown) => void;
  readonly #locks = new LocalLocks();
  readonly #listeners = new Listeners();

  /**
   * @param database Closed by `close()`.
   * @param onFailure Called when the database itself has failed, so that its memory cannot be trusted any more.
   */
  constructor(database: PGlite, onFailure: (error: unknown) => void = () => {}) {
    this.#database = database;
    this.#onFailure = onFailure;
    database.onNotification((channel, payload) => this.#listeners.notify(channel, payload));
  }

  /** Applies the migrations that the database does not have. @throws {ServeError} as `migrate` does */
  async migrate(migrations: readonly Migration[]): Promise<void> {
    const execute = (script: string) => this.#run(() => this.#database.exec(script));
    const query = (text: string, values: readonly SqlValue[] = []) =>
      this.#run(() => this.#database.query<Row>(text, [...values]));
    await migrate(
      {
        execute: async (script) => void (await execute(script)),
        query: async (text, values) => (await query(text, values)).rows,
      },
      migrations,
    );
  }

  async query<Result extends object = Row>(text: string, values: readonly SqlValue[] = []) {
    return (await this.#run(() => this.#database.query<Result>(text, [...values]))).rows;
  }

  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    let thrown: { readonly error: unknown } | undefined;
    try {
      return await this.#database.transaction(async (transaction) => {
        try {
          return await within(TRANSACTION_MS, work(this.#sql(transaction)));
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
    } catch (error) {
      throw error === thrown?.error ? error : this.#convert(error);
    }
  }

  async listen(channel: string, listener: (payload: string) => void) {
    const remove = await this.#listeners.add(channel, listener, () =>
      this.#run(() => this.#database.exec(`listen ${channel}`)),
    );
    return async () => remove();
  }

  async tryLock(name: string): Promise<NamedLock | undefined> {
    return this.#locks.tryLock(name);
  }

  async close(): Promise<void> {
    if (!this.#database.closed) await this.#run(() => this.#database.close());
  }

  #sql(transaction: Transaction): Sql {
    return {
      query: async <Result extends object = Row>(
        text: string,
        values: readonly SqlValue[] = [],
      ) => {
        if (transaction.closed) throw late();
        return (await this.#run(() => transaction.query<Result>(text, [...values]))).rows;
      },
    };
  }

  async #run<Result>(statement: () => Promise<Result>): Promise<Result> {
    try {
      return await statement();
    } catch (error) {
      throw this.#convert(error);
    }
  }

  /** The error for callers. PostgreSQL survives its errors, but not one of WebAssembly. */
  #convert(error: unknown): ServeError {
    if (error instanceof Error && 'severity' in error && error.severity === 'ERROR') {
      return storeFailure(new SqlError(error.message, 'code' in error ? String(error.code) : ''));
    }
    if (this.#database.ready) this.#onFailure(error);
    return unavailable(error);
  }
}
