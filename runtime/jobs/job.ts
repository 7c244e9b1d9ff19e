/** @module What a job is, as its owner sees it. */

import type { ServeError } from '../errors.ts';

export const jobStatuses = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** The infer route that a job asks. */
export interface JobTarget {
  /** The name of a service, such as `prediction`. */
  readonly service: string;
  /** Such as `/predict`. */
  readonly path: string;
}

/** What a client asks for, checked except for its target and its webhook. */
export interface JobRequest extends JobTarget {
  /** JSON as the client wrote it; undefined for a batch, whose lines follow. */
  readonly body: string | undefined;
  /** The URL that is called when the job has ended. */
  readonly webhook: string | undefined;
  /** Seconds within which it must have started. */
  readonly ttlSecs: number | undefined;
  /** How many attempts may fail before the job fails. */
  readonly maxAttempts: number;
  readonly idempotencyKey: string | undefined;
}

/** The response of the route to a job or to a line of a batch. */
export interface Answer {
  /** HTTP status. */
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /**
   * `done`; `refused`, because of a mistake in the request, so that it is not repeated; `failed`, so that another attempt
   * may succeed; `busy`, so that the request was not started and does not count as an attempt.
   */
  readonly outcome: 'done' | 'refused' | 'failed' | 'busy';
  /** For `busy`: when to try again, milliseconds. */
  readonly retryAfterMs?: number;
}

/** Calls the infer routes in this process. */
export interface InferRoutes {
  /**
   * @param body Undefined if it is not known yet.
   * @throws {ServeError} `INVALID_ARGUMENT` unless the target is an infer route that a job may ask with the body
   */
  check(target: JobTarget, body: string | undefined): void;
  /** @param signal Aborts the request, whose answer is then of no interest. Does not reject. */
  call(target: JobTarget, body: string, signal: AbortSignal): Promise<Answer>;
  /** The answer to a request that could not be made. */
  refusal(error: ServeError): Answer;
}

export interface Job extends JobTarget {
  readonly id: string;
  readonly status: JobStatus;
  readonly batch: boolean;
  /** How often it was started. */
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Lines of a batch; 1 for any other job. */
  readonly lines: number;
  /** Lines that have their result. */
  readonly doneLines: number;
  /** Lines whose result is an error. */
  readonly failedLines: number;
  /** HTTP status and JSON of the answer, which a batch does not have. */
  readonly answerStatus: number | undefined;
  readonly answer: string | undefined;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  /** When it expires unless it has started by then. */
  readonly startBy: Date | undefined;
  readonly webhook: string | undefined;
  readonly webhookStatus: 'pending' | 'delivered' | 'failed' | undefined;
}

/** From 0 to 1. */
export function progressOf({ status, lines, doneLines }: Job): number {
  return status === 'succeeded' ? 1 : doneLines / lines;
}

export const hasEnded = ({ status }: Pick<Job, 'status'>): boolean =>
  status !== 'queued' && status !== 'running';
