/** @module A lock that a connection to PostgreSQL holds: it ends with the connection, and so with the process. */

import type { SqlPool, SqlRunner } from '../host/index.ts';
import { QUERY_MS, within } from './deadlines.ts';
import { storeFailure } from './failure.ts';
import type { NamedLock } from './store.ts';

/** How often the holder makes sure that the connection still works. */
const CHECK_MS = 2000;

/**
 * Otherwise the server would keep the lock of a machine that lost its power for hours: these settings end the connection
 * after 10 s.
 */
const KEEP_ALIVE =
  'set tcp_keepalives_idle = 4; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3';

/**
 * @param open Opens a pool of one connection, whose end calls the function.
 * @returns undefined while another session holds the lock
 * @throws {ServeError} `STORE_UNAVAILABLE`
 */
export async function lockSession(
  name: string,
  open: (onClose: () => void) => Promise<SqlPool>,
): Promise<NamedLock | undefined> {
  const lost = new AbortController();
  let released = false;
  const lose = () => {
    if (!released) lost.abort();
  };
  const pool = await open(lose);
  const end = () => {
    released = true;
    return pool.end(0);
  };
  try {
    const connection = await within(QUERY_MS, pool.reserve());
    await within(QUERY_MS, connection.run(KEEP_ALIVE));
    const text = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as held';
    const { rows } = await within(QUERY_MS, connection.run(text, [name]));
    const [row] = rows as { held: boolean }[];
    // A connection that has ended meanwhile has lost it.
    if (row?.held === true && !lost.signal.aborted) return hold(connection, lost.signal, lose, end);
  } catch (error) {
    await end();
    throw storeFailure(error);
  }
  await end();
  return undefined;
}

function hold(
  connection: SqlRunner,
  lost: AbortSignal,
  lose: () => void,
  end: () => Promise<void>,
): NamedLock {
  const check = setInterval(() => {
    within(QUERY_MS, connection.run('select 1')).catch(lose);
  }, CHECK_MS);
  lost.addEventListener('abort', () => {
    clearInterval(check);
    end().catch(() => {});
  });
  return {
    lost,
    async release() {
      clearInterval(check);
      await end();
    },
  };
}
