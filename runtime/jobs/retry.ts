/** @module When something that has failed is tried again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ServeError } from '../errors.ts';

export const DEFAULT_ATTEMPTS = 3;
export const MOST_ATTEMPTS = 100;

interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Between attempts of a job, and of a line of a batch. */
export const jobBackoff: Backoff = { firstMs: 1000, mostMs: 60_000 };

/** Between attempts to deliver a webhook: eight of them take about ten minutes. */
export const webhookBackoff: Backoff = { firstMs: 5000, mostMs: 600_000 };
export const WEBHOOK_ATTEMPTS = 8;

/** Between attempts to reach the database. */
const storeBackoff: Backoff = { firstMs: 100, mostMs: 2000 };

/**
 * Milliseconds to wait after a failure. They double with each one, and half of them is random, so that what failed
 * together is not repeated together.
 *
 * @param failures How often it has failed, at least 1.
 * @param random From 0 to 1.
 */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number, random: number): number {
  const full = Math.min(firstMs * 2 ** (failures - 1), mostMs);
  return (full / 2) * (1 + random);
}

/** Most time that a request waits which was not started because the server was busy. */
const MOST_BUSY_MS = 30_000;

/** Milliseconds to wait for a server that is busy. */
export function busyMs(retryAfterMs: number | undefined, random: number): number {
  return Math.min(Math.max(retryAfterMs ?? 0, 1000), MOST_BUSY_MS) * (0.5 + random / 2);
}

/**
 * Repeats work that does no harm when it is repeated, until the database has done it.
 *
 * @param signal Ends the repetition.
 * @throws what `work` throws, if that is not `STORE_UNAVAILABLE` or the signal has aborted
 */
export async function untilAvailable<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
  random: () => number,
): Promise<Result> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      const passes = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (!passes || signal.aborted) throw error;
      await sleep(backoffMs(storeBackoff, failures, random()), undefined, { signal });
    }
  }
}
