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
const MAX_CONNECTIONS = 6;
const CONNECT_SECS = 3;
const IDLE_SECS = 60;
/** Seconds for which the end waits for statements. */
const GRACE_SECS = 5;
/** After so many failures in a row, without an answer in between, all connections are opened anew. */
const MAX_FAILURES = 3;

/** The server gives up a statement so much earlier than this process, so that the connection stays usable. */
const EARLIER_MS = 500;

export class PostgresStore implements Store {
  readonly kind = 'postgres';
  readonly #open: (max: number, onClose?: () => void) => Promise<SqlPool>;
  readonly #queryMs: number;
  #pool: Promise<SqlPool>;
  /** Has no other use, so that listeners do not end when the other connections are opened anew. */
  readonly #listening: Promise<SqlPool>;
  #failures = 0;
  #closed = false;

  /** @param queryMs Maximum milliseconds for a statement. */
  constructor(url: string, host: Pick<Host, 'openSql'>, queryMs = QUERY_MS) {
    const session = {
      application_name: 'millrace',
      statement_timeout: queryMs - EARLIER_MS,
      idle_in_transaction_session_timeout: TRANSACTION_MS,
    };
    this.#queryMs = queryMs;
    this.#open = (max, onClose) =>
      host.openSql(url, {
        ...{ max, connectSecs: CONNECT_SECS, idleSecs: IDLE_SECS, session },
        ...(onClose === undefined ? {} : { onClose }),
      });
    this.#pool = this.#open(MAX_CONNECTIONS);
    this.#listening = this.#open(1);
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
      await pool.end(0);
    }
  }

  async query<Result extends object = Row>(text: string, values: readonly SqlValue[] = []) {
    const { rows } = await this.#run(await this.#pool, text, values);
    return rows as readonly Result[];
  }

  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const connection = await this.#reserve();
    // The state of a connection is unknown after a statement without an answer; closing it rolls back.
    let known = true;
    const run = async (text: string, values?: readonly SqlValue[]) => {
      try {
        return await this.#run(connection, text, values);
      } catch (error) {
        known &&= error instanceof ServeError && error.cause instanceof SqlError;
        throw error;
      }
    };
    try {
      return await transact(run, work);
    } catch (error) {
      if (known) await run('rollback').catch(() => {});
      throw error;
    } finally {
      connection.release(known);
    }
  }

  async listen(channel: string, listener: (payload: string) => void) {
    let listening = false;
    const onListen = () => {
      // Each time but the first follows a gap.
      if (listening) listener('');
      listening = true;
    };
    const subscribing = (await this.#listening).listen(channel, listener, onListen);
    const end = async () => (await subscribing).unlisten();
    try {
      await this.#attempt(subscribing);
    } catch (error) {
      end().catch(() => {});
      throw error;
    }
    return end;
  }

  /** @throws {ServeError} `STORE_UNAVAILABLE` */
  tryLock(name: string): Promise<NamedLock | undefined> {
    return lockSession(name, (onClose) => this.#open(1, onClose));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const pool of await Promise.all([this.#pool, this.#listening])) await pool.end(GRACE_SECS);
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
      const result = await within(this.#queryMs, answer);
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
    void abandoned.then((pool) => pool.end(0)).catch(() => {});
  }
}

type Run = (text: string, values?: readonly SqlValue[]) => Promise<SqlResult>;

async function transact<Result>(run: Run, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  let open = true;
  const query = async <Each extends object = Row>(
    text: string,
    values: readonly SqlValue[] = [],
  ) => {
    if (!open) throw late();
    return (await run(text, values)).rows as readonly Each[];
  };
  await run('begin');
  const result = await within(TRANSACTION_MS, work({ query })).finally(() => {
    open = false;
  });
  const { command } = await run('commit');
  if (command === 'COMMIT') return result;
  throw storeFailure(new SqlError('A statement of the transaction has failed', '25P02'));
}
