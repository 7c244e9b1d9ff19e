/** @module The SQL port: one interface over PostgreSQL and the embedded PGlite, for the same statements and migrations. */

/** A value of a statement's parameter. Lists and objects travel as JSON text: `jsonb_to_recordset($1::jsonb)`. */
export type SqlValue = string | number | boolean | null | Date | Uint8Array;

/**
 * A row by its column names. `timestamptz` is a `Date`, `jsonb` its parsed value, `bigint` and `numeric` a number (the
 * columns of this schema stay below 2^53), `bytea` a `Uint8Array`. Lists are selected as `jsonb`, not as arrays.
 */
export type Row = Readonly<Record<string, unknown>>;

export interface Sql {
  /**
   * Runs one statement, whose parameters are `$1`, `$2`, ….
   *
   * @throws {ServeError} `STORE_UNAVAILABLE` if the database cannot be reached or does not answer within the deadline: the
   * statement may have been carried out. `INTERNAL` for any other failure of it, with the driver's error as its cause.
   */
  query<Result extends object = Row>(
    text: string,
    values?: readonly SqlValue[],
  ): Promise<readonly Result[]>;
}

/** A lock of one name that at most one process holds. */
export interface NamedLock {
  /** Aborts when the lock is lost, because the connection that held it has ended. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export interface Store extends Sql {
  /** `postgres` or `embedded`. */
  readonly kind: 'postgres' | 'embedded';
  /**
   * Runs statements in one transaction, which is rolled back if `work` rejects. `work` must not use the store itself.
   *
   * @throws what `work` throws, and as `query` does
   */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /**
   * Calls the listener for each `pg_notify` on a channel, in every process and thread of the database, and once with ''
   * after any gap in which notifications may have been lost, so that it must read what it follows again.
   *
   * @param channel A name of lower-case letters and underscores.
   * @returns a function that ends the calls
   */
  listen(channel: string, listener: (payload: string) => void): Promise<() => Promise<void>>;
  /** The lock of that name; undefined while another process holds it. */
  tryLock(name: string): Promise<NamedLock | undefined>;
  /** Resolves when all statements have ended and the connections are closed. */
  close(): Promise<void>;
}

/** The code of an error that PostgreSQL reported, such as `23505` for a unique violation; undefined for other errors. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
