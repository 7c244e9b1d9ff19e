/** @module Changes that are made once, however often a client asks for them with the same key. */

import { ServeError } from '../errors.ts';
import type { Sql, Store } from '../store/store.ts';

/** The key that a client chose for a change. */
export interface OnceKey {
  /** Whose key it is; two callers may choose the same one. */
  readonly owner: string;
  readonly key: string;
  /** SHA-256 of what was asked for, hexadecimal. */
  readonly request: string;
}

/** Who makes a change, and how often. */
export interface Author {
  /** For the audit log. */
  readonly who: string;
  /** Undefined if the change is made as often as it is asked for. */
  readonly once: OnceKey | undefined;
}

/**
 * Makes a change in one transaction, unless one with the same key was made: then the result of that one is returned. As
 * the result is stored with the change, a server that stops in between can neither lose nor repeat it.
 *
 * @param change Its result must be JSON.
 * @throws {ServeError} `CONFLICT` if the key was used for something else
 * @throws what `change` throws; then the key is free again
 */
export function changeOnce<Result>(
  store: Store,
  once: OnceKey | undefined,
  change: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  if (once === undefined) return store.transaction(change);
  return store.transaction(async (sql) => {
    // If another transaction is using the key, this statement waits until it has ended.
    const claimed = await sql.query(
      `insert into idempotency_keys (owner, key, request, result) values ($1, $2, $3, 'null')
       on conflict do nothing returning key`,
      [once.owner, once.key, once.request],
    );
    if (claimed.length === 0) return earlierResult<Result>(sql, once);
    const result = await change(sql);
    await sql.query(
      'update idempotency_keys set result = $3::jsonb where owner = $1 and key = $2',
      [once.owner, once.key, JSON.stringify(result)],
    );
    return result;
  });
}

async function earlierResult<Result>(sql: Sql, { owner, key, request }: OnceKey): Promise<Result> {
  const [earlier] = await sql.query<{ request: string; result: Result }>(
    'select request, result from idempotency_keys where owner = $1 and key = $2',
    [owner, key],
  );
  if (earlier?.request === request) return earlier.result;
  throw new ServeError(
    'CONFLICT',
    'The Idempotency-Key was used for another request; choose a new one for each change.',
  );
}

/** How long a key is remembered. */
const KEPT = '24 hours';

/** Forgets keys that nobody repeats any more. */
export async function forgetOldKeys(sql: Sql): Promise<void> {
  await sql.query(`delete from idempotency_keys where created_at < now() - interval '${KEPT}'`);
}
