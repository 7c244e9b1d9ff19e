/**
 * Jobs in the database, as workers take and end them. A worker has a lease on a job that it runs. Each start of a job has
 * a number, its attempt, and only the worker with the last one can change the job: so a worker that is late stores
 * nothing, and every job has one result.
 *
 * @module
 */

import type { Sql } from '../store/store.ts';
import type { Answer, JobTarget } from './job.ts';
import { endColumns } from './job-table.ts';
import { notify, QUEUED } from './watch.ts';

/** A started job. */
export interface Claim extends JobTarget {
  readonly id: string;
  /** The number of this start. */
  readonly attempt: number;
  /** How many attempts have failed since its last progress. */
  readonly failures: number;
  readonly maxAttempts: number;
  /** Undefined for a batch. */
  readonly body: string | undefined;
  /** How long it could have run before it did, milliseconds. */
  readonly waitedMs: number;
}

interface ClaimRow extends JobTarget {
  readonly id: string;
  readonly attempts: number;
  readonly failures: number;
  readonly max_attempts: number;
  readonly body: string | null;
  readonly waited_ms: number;
}

export interface ClaimOptions {
  readonly worker: string;
  readonly leaseMs: number;
  readonly most: number;
  /** Takes only jobs that could have run for so long. */
  readonly waitedMs: number;
  /** Takes only this job. */
  readonly id?: string;
}

/** Starts queued jobs, the oldest first. */
export async function claimJobs(sql: Sql, options: ClaimOptions): Promise<readonly Claim[]> {
  const { worker, leaseMs, most, waitedMs, id } = options;
  const rows = await sql.query<ClaimRow>(
    `update jobs set status = 'running', attempts = attempts + 1, worker = $1,
       lease_until = now() + $2::float8 * interval '1 millisecond', started_at = coalesce(started_at, now())
     where id in (
       select id from jobs where status = 'queued' and run_after <= now() - $3::float8 * interval '1 millisecond'
         and (start_by is null or start_by > now() or started_at is not null) and ($4::text is null or id = $4)
       order by run_after, seq limit $5 for update ${id === undefined ? 'skip locked' : ''})
     returning id, service, path, body, attempts, failures, max_attempts, ${notify()},
       (extract(epoch from now() - run_after) * 1000)::float8 as waited_ms`,
    [worker, leaseMs, waitedMs, id ?? null, most],
  );
  return rows.map(({ id, service, path, attempts, failures, max_attempts, body, waited_ms }) => ({
    ...{ id, service, path, attempt: attempts, failures, maxAttempts: max_attempts },
    body: body ?? undefined,
    waitedMs: waited_ms,
  }));
}

/** Extends the leases. @returns those of the claims whose jobs are still this worker's */
export async function renewLeases(
  sql: Sql,
  claims: readonly Claim[],
  leaseMs: number,
): Promise<ReadonlySet<Claim>> {
  const rows = await sql.query<{ id: string; attempts: number }>(
    `update jobs set lease_until = now() + $2::float8 * interval '1 millisecond'
     from jsonb_to_recordset($1::jsonb) as mine (id text, attempt int)
     where jobs.id = mine.id and attempts = mine.attempt and status = 'running'
     returning jobs.id, attempts`,
    [JSON.stringify(claims.map(({ id, attempt }) => ({ id, attempt }))), leaseMs],
  );
  const attempts = new Map(rows.map((row) => [row.id, row.attempts]));
  return new Set(claims.filter(({ id, attempt }) => attempts.get(id) === attempt));
}

/**
 * Ends a job.
 *
 * @param answer Undefined for a batch, whose results are stored with its lines.
 * @param ttlSecs How long its result is kept.
 * @returns false if it is not this worker's any more
 */
export async function endJob(
  sql: Sql,
  { id, attempt }: Claim,
  status: 'succeeded' | 'failed',
  answer: Answer | undefined,
  ttlSecs: number,
): Promise<boolean> {
  const ended = await sql.query(
    `update jobs set status = $3, answer_status = $4, answer = $5, ${endColumns('$6::float8')},
       done_lines = case when batch then done_lines else 1 end,
       failed_lines = case when batch or $3 = 'succeeded' then failed_lines else 1 end
     where id = $1 and attempts = $2 and status = 'running' returning ${notify()}`,
    [id, attempt, status, answer?.status ?? null, answer?.body ?? null, ttlSecs],
  );
  return ended.length > 0;
}

/**
 * Queues a started job again.
 *
 * @param failed Whether the attempt counts as a failure.
 * @param delayMs How long it waits.
 */
export async function requeueJob(
  sql: Sql,
  { id, attempt }: Claim,
  failed: boolean,
  delayMs: number,
): Promise<void> {
  await sql.query(
    `update jobs set status = 'queued', failures = failures + $3, lease_until = null, worker = null,
       dispatched_at = null, run_after = now() + $4::float8 * interval '1 millisecond'
     where id = $1 and attempts = $2 and status = 'running' returning ${notify(QUEUED)}`,
    [id, attempt, failed ? 1 : 0, delayMs],
  );
}

/** Queues the jobs of a worker that does not know them, because the answer to its claim was lost. */
export async function requeueUnknown(
  sql: Sql,
  worker: string,
  known: readonly string[],
): Promise<void> {
  await sql.query(
    `update jobs set status = 'queued', lease_until = null, worker = null, dispatched_at = null
     where status = 'running' and worker = $1 and lease_until is not null
       and id not in (select id from jsonb_array_elements_text($2::jsonb) as mine (id))
     returning ${notify(QUEUED)}`,
    [worker, JSON.stringify(known)],
  );
}

/** Most jobs that one statement of `sweepJobs` changes. */
const MOST_SWEPT = 500;
/** Batches have many rows of lines, so fewer jobs are deleted at once. */
const MOST_DELETED = 50;
/** A webhook that is still to be sent after this time never will be, because no process has a secret any more. */
const WEBHOOK_KEPT = '1 day';

/**
 * Ends what nobody will run: jobs that have not started in time, and those whose worker has stopped too often; queues
 * those whose worker has stopped; and deletes old ones.
 *
 * @param lost The answer of a job whose worker has stopped for the last time.
 */
export async function sweepJobs(sql: Sql, lost: Answer, ttlSecs: number): Promise<void> {
  await sql.query(
    `update jobs set status = 'expired', ${endColumns('$1::float8')}
     where id in (select id from jobs where status = 'queued' and start_by <= now() and started_at is null
       limit ${MOST_SWEPT} for update skip locked) returning ${notify()}`,
    [ttlSecs],
  );
  const expired = (condition: string) => `select id from jobs
     where status = 'running' and lease_until <= now() and ${condition}
     limit ${MOST_SWEPT} for update skip locked`;
  await sql.query(
    `update jobs set status = 'failed', failures = failures + 1, answer_status = $2, answer = $3,
       ${endColumns('$1::float8')}
     where id in (${expired('failures + 1 >= max_attempts')}) returning ${notify()}`,
    [ttlSecs, lost.status, lost.body],
  );
  await sql.query(
    `update jobs set status = 'queued', failures = failures + 1, lease_until = null, worker = null,
       dispatched_at = null, run_after = now()
     where id in (${expired('failures + 1 < max_attempts')}) returning ${notify(QUEUED)}`,
  );
  await sql.query(
    `delete from jobs where id in (select id from jobs where status = 'receiving' and lease_until <= now()
       limit ${MOST_DELETED} for update skip locked)`,
  );
  await sql.query(
    `delete from jobs where id in (select id from jobs where delete_after <= now()
         and (webhook_at is null or delete_after <= now() - interval '${WEBHOOK_KEPT}')
       limit ${MOST_DELETED} for update skip locked)`,
  );
}

/** What waits and runs, of all processes together. */
export interface Backlog {
  readonly queued: number;
  readonly running: number;
  /** How long the job has waited that could have run first, seconds. */
  readonly lagSecs: number;
}

export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [row] = await sql.query<{ queued: number; running: number; lag: number }>(
    `select count(*) filter (where status = 'queued')::int as queued,
       count(*) filter (where status = 'running')::int as running,
       coalesce(extract(epoch from now() - min(run_after) filter (where status = 'queued')), 0)::float8 as lag
     from jobs where status in ('queued', 'running')`,
  );
  const { queued, running, lag } = row!;
  return { queued, running, lagSecs: Math.max(lag, 0) };
}
