/** @module Jobs as JSON: what clients and webhooks get. */

import { hasEnded, type Job, progressOf } from './job.ts';

/**
 * The JSON of a job on one line. Its result is the body of the route's response as it was, so that no number loses digits.
 *
 * @param mostCharacters Longer results are left out.
 */
export function jobJson(job: Job, mostCharacters = Number.POSITIVE_INFINITY): string {
  const { answer, status } = job;
  const text = JSON.stringify({ ...about(job), ...(status === 'failed' ? reason(answer) : {}) });
  if (status !== 'succeeded' || answer === undefined || answer.length > mostCharacters) return text;
  return `${text.slice(0, -1)},"result":${oneLine(answer)}}`;
}

function about(job: Job): object {
  const { batch, lines, doneLines, failedLines, webhook, webhookStatus } = job;
  return {
    job_id: job.id,
    status: job.status,
    service: job.service,
    path: job.path,
    attempts: job.attempts,
    max_attempts: job.maxAttempts,
    progress: progressOf(job),
    ...(batch ? { lines, done_lines: doneLines, failed_lines: failedLines } : {}),
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
    ...(job.startBy && !hasEnded(job) ? { expires_at: job.startBy.toISOString() } : {}),
    ...(webhook === undefined ? {} : { webhook, webhook_status: webhookStatus ?? null }),
  };
}

/** The sentence and the code of an error response. */
function reason(answer = '{}'): object {
  const { error = 'The job failed.', code } = JSON.parse(answer) as Record<string, unknown>;
  return { error, ...(code === undefined ? {} : { code }) };
}

/**
 * A line of the results of a batch, without its line break.
 *
 * @param file The name of the file of an archive that it is about.
 */
export function resultLine(index: number, status: number, body: string, file?: string): string {
  const about = file === undefined ? '' : `"file":${JSON.stringify(file)},`;
  return `{"index":${index},${about}"status":${status},"body":${oneLine(body)}}`;
}

/** In JSON, line breaks occur only between values. */
const oneLine = (json: string): string =>
  /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json;
