/** @module How long a store waits: nothing that asks the database waits without a bound. */

import { late } from './failure.ts';

/** Milliseconds for one statement, and to get a connection. */
export const QUERY_MS = 5000;
/** Milliseconds from the beginning of a transaction to its end. */
export const TRANSACTION_MS = 15_000;
/** Milliseconds for which the start waits while another process changes the schema. */
export const MIGRATION_MS = 60_000;

/** Settles as the promise does, or rejects with `STORE_UNAVAILABLE` after the time. */
export async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
