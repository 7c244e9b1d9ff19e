/** @module Jobs in the database, as their owners make, see and cancel them. */

import { randomBytes } from 'node:crypto';
import { ServeError } from '../errors.ts';
import type { Sql } from '../store/store.ts';
import type { Job, JobRequest, JobStatus } from './job.ts';
import { CANCELLED, notify, QUEUED } from './watch.ts';

/** Whose jobs a caller sees: those of a subject, or all of them if it is undefined. */
export type Owner = string | undefined;

/** The columns of a job that has ended. `$ttl` is the parameter with the seconds for which its result is kept. */
export const endColumns = (ttl: string) => `
  finished_at = now(), delete_after = now() + ${ttl} * interval '1 second', body = null,
  lease_until = null, worker = null,
  webhook_status = case when webhook is not null then 'pending' end,
  webhook_at = case when webhook is not null then now() end`;

/** The columns of a job in a list. */
const SUMMARY = `id, seq, service, path, batch, status, attempts, max_attempts, lines, done_lines, failed_lines,
  answer_status, created_at, started_at, finished_at, start_by, webhook, webhook_status`;

interface JobRow {
  readonly id: string;
  readonly seq: number;
  readonly service: string;
  readonly path: string;
  readonly batch: boolean;
  readonly status: JobStatus;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly lines: number;
  readonly done_lines: number;
  readonly failed_lines: number;
  readonly answer_status: number | null;
  readonly answer?: string | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly start_by: Date | null;
  readonly webhook: string | null;
  readonly webhook_status: Job['webhookStatus'] | null;
}

function toJob(row: JobRow): Job {
  const { id, service, path, batch, status, attempts, lines } = row;
  return {
    ...{ id, service, path, batch, status, attempts, lines },
    maxAttempts: row.max_attempts,
    doneLines: row.done_lines,
    failedLines: row.failed_lines,
    answerStatus: row.answer_status ?? undefined,
    answer: row.answer ?? undefined,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    startBy: row.start_by ?? undefined,
    webhook: row.webhook ?? undefined,
    webhookStatus: row.webhook_status ?? undefined,
  };
}

/** A job that was made, or the one that the same idempotency key has made before. */
export interface Made {
  readonly id: string;
  /** Whether it is new. */
  readonly created: boolean;
  readonly status: JobStatus;
}

/** How long several chunks of a batch may take to arrive. */
export const RECEIVING_MS = 600_000;

/**
 * Stores a job: queued, or receiving its lines if it is a batch.
 *
 * @param hash SHA-256 of what was asked for; of a batch it is not known yet.
 * @returns the row with the same idempotency key if there is one, whose `request` the caller compares
 */
export async function insertJob(
  sql: Sql,
  owner: Owner,
  request: JobRequest,
  hash: string | null,
): Promise<Made & { readonly request: string | null; readonly receiving: boolean }> {
  const { service, path, body, webhook, ttlSecs, maxAttempts, idempotencyKey } = request;
  const id = `job_${randomBytes(16).toString('hex')}`;
  const batch = body === undefined;
  const [made] = await sql.query(
    `insert into jobs (id, owner, service, path, batch, body, status, lines, max_attempts, webhook, start_by,
       lease_until, idempotency_key, request)
     values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, now() + $10::float8 * interval '1 second',
       now() + $11::float8 * interval '1 millisecond', $12, $13)
     on conflict (owner, idempotency_key) where idempotency_key is not null do nothing
     returning ${batch ? 'id' : notify(QUEUED)}`,
    [
      ...[id, owner ?? '', service, path, batch, body ?? null, batch ? 'receiving' : 'queued'],
      ...[maxAttempts, webhook ?? null, ttlSecs ?? null, batch ? RECEIVING_MS : null],
      ...[idempotencyKey ?? null, hash],
    ],
  );
  if (made !== undefined) {
    return { id, created: true, status: 'queued', request: hash, receiving: batch };
  }
  const [known] = await sql.query<{ id: string; status: JobStatus; request: string | null }>(
    'select id, status, request from jobs where owner = $1 and idempotency_key = $2',
    [owner ?? '', idempotencyKey ?? null],
  );
  // The job with the key was deleted in between, so that the key is free now.
  if (known === undefined) return insertJob(sql, owner, request, hash);
  return { ...known, created: false, receiving: known.request === null };
}

/** Queues a batch whose lines have all arrived. @returns false if it is not receiving any more */
export async function queueBatch(
  sql: Sql,
  id: string,
  lines: number,
  hash: string,
): Promise<boolean> {
  const queued = await sql.query(
    `update jobs set status = 'queued', lines = $2, request = $3, lease_until = null, run_after = now()
     where id = $1 and status = 'receiving' returning ${notify(QUEUED)}`,
    [id, lines, hash],
  );
  return queued.length > 0;
}

/** Deletes a batch that was not received. */
export async function dropBatch(sql: Sql, id: string): Promise<void> {
  await sql.query("delete from jobs where id = $1 and status = 'receiving'", [id]);
}

/** Whether a text that a client may have made up can be the id of a job. */
const isId = (text: string): boolean => /^job_[0-9a-f]{32}$/.test(text);

/** The job, if the caller sees it. */
export async function findJob(sql: Sql, owner: Owner, id: string): Promise<Job | undefined> {
  if (!isId(id)) return undefined;
  const [row] = await sql.query<JobRow>(
    `select ${SUMMARY}, answer from jobs
     where id = $1 and status <> 'receiving' and ($2::text is null or owner = $2)`,
    [id, owner ?? null],
  );
  return row && toJob(row);
}

/** A part of the list of jobs, which has the newest first. */
export interface JobPage {
  readonly status: JobStatus | undefined;
  readonly limit: number;
  /** The `seq` of the last job of the part before. */
  readonly before: number | undefined;
}

/** The jobs of a part, of whose answers only the short ones of failed jobs are read, and one more if there is one. */
export async function listJobs(
  sql: Sql,
  owner: Owner,
  { status, limit, before }: JobPage,
): Promise<readonly (Job & { readonly seq: number })[]> {
  const rows = await sql.query<JobRow>(
    `select ${SUMMARY}, case when status = 'failed' then answer end as answer from jobs
     where status <> 'receiving' and ($1::text is null or owner = $1)
       and ($2::text is null or status = $2) and ($3::bigint is null or seq < $3)
     order by seq desc limit $4`,
    [owner ?? null, status ?? null, before ?? null, limit + 1],
  );
  return rows.map((row) => ({ ...toJob(row), seq: row.seq }));
}

/**
 * Cancels a job that has not ended.
 *
 * @param ttlSecs How long it is kept.
 * @returns the job; undefined if the caller does not see it
 * @throws {ServeError} `CONFLICT` if it has ended in another way
 */
export async function cancelJob(
  sql: Sql,
  owner: Owner,
  id: string,
  ttlSecs: number,
): Promise<Job | undefined> {
  if (!isId(id)) return undefined;
  await sql.query(
    `update jobs set status = 'cancelled', ${endColumns('$3::float8')}
     where id = $1 and ($2::text is null or owner = $2) and status in ('queued', 'running')
     returning ${notify(CANCELLED)}`,
    [id, owner ?? null, ttlSecs],
  );
  const job = await findJob(sql, owner, id);
  if (job === undefined || job.status === 'cancelled') return job;
  throw new ServeError('CONFLICT', `The job has already ${ENDED[job.status]}.`);
}

const ENDED: Readonly<Record<JobStatus, string>> = {
  queued: 'been queued',
  running: 'started',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'been cancelled',
  expired: 'expired',
};
