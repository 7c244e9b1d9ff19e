/** @module PostgreSQL through Bun's own client. */

import {
  type SqlConnection,
  SqlError,
  type SqlPool,
  type SqlPoolOptions,
  type SqlResult,
} from './sql.ts';

/** Types whose values Bun returns as text. Those of this product are exact as numbers. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700]);
const BYTEA = 17;

export function openBunSql(url: string, options: SqlPoolOptions): SqlPool {
  const { max, connectSecs, idleSecs, session, onClose } = options;
  const sql = new Bun.SQL(url, {
    max,
    connectionTimeout: connectSecs,
    idleTimeout: idleSecs,
    connection: { ...session },
    // Otherwise Bun would write the text of a JSON parameter as a JSON string. It also suits poolers of connections.
    prepare: false,
    ...(onClose === undefined ? {} : { onclose: () => onClose() }),
  });
  return {
    run: (text, values) => run(sql, text, values),
    async reserve(): Promise<SqlConnection> {
      const reserved = await converting(sql.reserve());
      return {
        run: (text, values) => run(reserved, text, values),
        release: (reusable) => void (reusable ? reserved.release() : reserved.close()),
      };
    },
    listen: (channel, onNotify, onListen) => converting(sql.listen(channel, onNotify, onListen)),
    end: (graceSecs) => sql.close({ timeout: graceSecs }),
  };
}

async function run(
  sql: Bun.SQL,
  text: string,
  values: readonly unknown[] | undefined,
): Promise<SqlResult> {
  const result = await converting(sql.unsafe(text, values && [...values]));
  // Several statements have a list of results.
  const last = Array.isArray(result.at(-1)) ? result.at(-1) : result;
  return { rows: convert(last), command: last.command ?? '' };
}

async function converting<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Bun.SQL.PostgresError) || error.errno === undefined) throw error;
    throw new SqlError(error.message, error.errno, { cause: error });
  }
}

type Rows = Record<string, unknown>[] & Bun.SQL.ResultMetadata;

function convert(rows: Rows): Record<string, unknown>[] {
  const columns = rows.columns?.filter(({ type }) => NUMBERS.has(type) || type === BYTEA) ?? [];
  for (const { name, type } of columns) {
    for (const row of rows) {
      const value = row[name];
      if (value === null) continue;
      row[name] = type === BYTEA ? new Uint8Array(value as Uint8Array) : Number(value);
    }
  }
  // A list without the metadata of Bun, as other hosts have it.
  return [...rows];
}
