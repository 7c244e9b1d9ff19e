/** @module Runs one started job, and stores how it ended. */

import type { Store } from '../store/store.ts';
import type { Answer, InferRoutes } from './job.ts';
import { type Claim, endJob, requeueJob } from './lease-table.ts';
import { backoffMs, busyMs, jobBackoff, untilAvailable } from './retry.ts';

/** What runs need of their worker. */
export interface RunParts {
  readonly store: Store;
  readonly routes: InferRoutes;
  readonly random: () => number;
  readonly ttlSecs: number;
}

/** How a run ended; undefined if the job is queued again, or is not this worker's any more. */
export type Ended = 'succeeded' | 'failed' | undefined;

/**
 * Runs a job that is not a batch.
 *
 * @param signal Aborts when the job is not this worker's any more, or the worker has to stop.
 */
export async function runJob(claim: Claim, signal: AbortSignal, parts: RunParts): Promise<Ended> {
  const answer = await parts.routes.call(claim, claim.body!, signal);
  const failed = answer.outcome === 'failed';
  const isLast = failed && claim.failures + 1 >= claim.maxAttempts;
  if (answer.outcome === 'busy' || (failed && !isLast)) {
    // If the database is away, the lease ends instead.
    await requeueJob(parts.store, claim, failed, delayMs(claim, answer, signal, parts.random()));
    return undefined;
  }
  return end(claim, answer.outcome === 'done' ? 'succeeded' : 'failed', answer, signal, parts);
}

function delayMs(
  { failures }: Claim,
  { outcome, retryAfterMs }: Answer,
  signal: AbortSignal,
  random: number,
): number {
  if (outcome === 'failed') return backoffMs(jobBackoff, failures + 1, random);
  return signal.aborted ? 0 : busyMs(retryAfterMs, random);
}

/** Ends a job. @param answer Undefined for a batch. */
export async function end(
  claim: Claim,
  status: 'succeeded' | 'failed',
  answer: Answer | undefined,
  signal: AbortSignal,
  parts: RunParts,
): Promise<Ended> {
  const { store, ttlSecs } = parts;
  const write = () => endJob(store, claim, status, answer, ttlSecs);
  return (await untilAvailable(write, signal, parts.random)) ? status : undefined;
}
