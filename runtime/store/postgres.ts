/** @module The store over a PostgreSQL server. */

import { ServeError } from '../errors.ts';
import {
  type Host,
  type SqlConnection,
  SqlError,
  type SqlPool,
  type SqlResult,
  type SqlRunner,
} from '../host/index.ts';
import { QUERY_MS, TRANSACTION_MS, within } from './deadlines.ts';
import { late, storeFailure } from './failure.ts';
import { type Migration, migrate } from './migrations.ts';
import { lockSession } from './session-lock.ts';
import type { NamedLock, Row, Sql, SqlValue, Store } from './store.ts';

/** Connections of one thread. */
const MAX_CONNECTIONS = 8;
const CONNECT_SECS = 3;
/** After so many failures in a row, without an answer in between, all connections are opened anew. */
const MAX_FAILURES = 3;

/** The server gives up before this process does, so that the connection stays usable. */
const SESSION = {
  application_name: 'millrace',
  statement_timeout: QUERY_MS - 500,
  idle_in_transaction_session_timeout: TRANSACTION_MS,
};

export class PostgresStore implements Store {
  readonly kind = 'postgres';
  readonly #open: (max: number, onClose?: () => void) => Promise<SqlPool>;
  #pool: Promise<SqlPool>;
  #failures = 0;
  #closed = false;

  constructor(url: string, host: Pick<Host, 'openSql'>) {
    this.#open = (max, onClose) =>
      host.openSql(url, {
        ...{ max, connectSecs: CONNECT_SECS, session: SESSION },
        ...(onClose === undefined ? {} : { onClose }),
      });
    this.#pool = this.#open(MAX_CONNECTIONS);
  }

  /** Applies the migrations that the database does not have. @throws {ServeError} as `migrate` does */
  async migrate(migrations: readonly Migration[]): Promise<void> {
    const pool = await this.#open(1);
    try {
      const connection = await within(QUERY_MS, pool.reserve());
      await migrate(
        {
          execute: async (script) => void (await connection.run(script)),
          query: async (text, values) => (await connection.run(text, values)).rows as Row[],
        },
        migrations,
      );
    } catch (error) {
      throw storeFailure(error);
    } finally {
      await pool.end();
    }
  }

  async query<Result extends object = Row>(text: string, values: readonly SqlValue[] = []) {
    const { rows } = await this.#run(await this.#pool, text, values);
    return rows as readonly Result[];
  }

  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const connection = await this.#reserve();
    let reusable = false;
    try {
      const result = await this.#transact(connection, work);
      reusable = true;
      return result;
    } catch (error) {
      reusable = await this.#run(connection, 'rollback').then(
        () => true,
        () => false,
      );
      throw error;
    } finally {
      connection.release(reusable);
    }
  }

  async listen(channel: string, listener: (payload: string) => void) {
    let listening = false;
    const onListen = () => {
      // Each time but the first follows a gap.
      if (listening) listener('');
      listening = true;
    };
    const pool = await this.#pool;
    const subscription = await this.#attempt(pool.listen(channel, listener, onListen));
    return () => subscription.unlisten();
  }

  /** @throws {ServeError} `STORE_UNAVAILABLE` */
  tryLock(name: string): Promise<NamedLock | undefined> {
    return lockSession(name, (onClose) => this.#open(1, onClose));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await (await this.#pool).end();
  }

  async #transact<Result>(
    connection: SqlConnection,
    work: (sql: Sql) => Promise<Result>,
  ): Promise<Result> {
    let open = true;
    const query = async <Each extends object = Row>(
      text: string,
      values: readonly SqlValue[] = [],
    ) => {
      if (!open) throw late();
      return (await this.#run(connection, text, values)).rows as readonly Each[];
    };
    await this.#run(connection, 'begin');
    const result = await within(TRANSACTION_MS, work({ query })).finally(() => {
      open = false;
    });
    const { command } = await this.#run(connection, 'commit');
    if (command === 'COMMIT') return result;
    const aborted = new SqlError('A statement of the transaction has failed', '25P02');
    throw storeFailure(aborted);
  }

  async #reserve(): Promise<SqlConnection> {
    const reserved = (await this.#pool).reserve();
    try {
      return await this.#attempt(reserved);
    } catch (error) {
      // It may still be opened, when nobody waits for it any more.
      reserved.then(
        (connection) => connection.release(true),
        () => {},
      );
      throw error;
    }
  }

  #run(runner: SqlRunner, text: string, values?: readonly SqlValue[]): Promise<SqlResult> {
    return this.#attempt(runner.run(text, values));
  }

  async #attempt<Result>(answer: Promise<Result>): Promise<Result> {
    try {
      const result = await within(QUERY_MS, answer);
      this.#failures = 0;
      return result;
    } catch (error) {
      if (error instanceof SqlError) this.#failures = 0;
      else this.#fail();
      throw error instanceof ServeError ? error : storeFailure(error);
    }
  }

  /** Drivers may keep connections on which nothing arrives any more, and wait ever longer to open others. */
  #fail(): void {
    this.#failures += 1;
    if (this.#failures < MAX_FAILURES || this.#closed) return;
    this.#failures = 0;
    const abandoned = this.#pool;
    this.#pool = this.#open(MAX_CONNECTIONS);
    void abandoned.then((pool) => pool.end()).catch(() => {});
  }
}
