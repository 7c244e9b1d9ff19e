/** @module The jobs of the platform, as one HTTP thread makes, shows and runs them. */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/index.ts';
import type { Store } from '../store/store.ts';
import { hasEnded, type InferRoutes, type Job, type JobRequest } from './job.ts';
import {
  cancelJob,
  findJob,
  insertJob,
  type JobPage,
  listJobs,
  type Made,
  type Owner,
} from './job-table.ts';
import { addJobMetrics } from './metrics.ts';
import { checkQueue } from './queue.ts';
import { type BatchSource, receiveBatch } from './receive.ts';
import { results } from './results.ts';
import { JobRunner, type RunnerParts } from './runner.ts';
import { JobWatch } from './watch.ts';
import { type Allowed, checkWebhook, readAllowed } from './webhooks/destinations.ts';

export interface JobsParts {
  readonly store: Store;
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether this thread runs jobs. */
  readonly first: boolean;
  readonly random?: () => number;
  /** What tests of the runner replace. */
  readonly runner?: Partial<RunnerParts>;
}

/** Least time between two reports of a job's progress. */
const REPORT_MS = 100;

export class Jobs {
  readonly #parts: JobsParts;
  readonly #store: Store;
  readonly #watch: JobWatch;
  readonly #allowed: Allowed;
  readonly #metrics: ReturnType<typeof addJobMetrics>;
  #runner: JobRunner | undefined;
  #drained: Promise<void> | undefined;

  private constructor(parts: JobsParts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#watch = new JobWatch(parts.store);
    this.#allowed = readAllowed(parts.config.webhookAllow);
    this.#metrics = addJobMetrics(parts.metrics);
  }

  /** @throws {ServeError} `INVALID_CONFIG`, also if the Redis of the queue may drop jobs */
  static async open(parts: JobsParts): Promise<Jobs> {
    const { first, log } = parts;
    const { queueRedisUrl: url } = parts.config;
    if (first && url !== undefined) await checkQueue(url, log);
    return new Jobs(parts);
  }

  /**
   * Stores a job. It is queued when the promise resolves.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` for its webhook, `CONFLICT` if its idempotency key was used for another one,
   * `STORE_UNAVAILABLE`
   */
  async create(owner: Owner, request: JobRequest): Promise<Made> {
    const checked = this.#checked(request);
    const hash = hashOf(checked).digest('hex');
    const made = await insertJob(this.#store, owner, checked, hash);
    if (made.created || made.request === hash) return made;
    throw otherRequest();
  }

  /**
   * Stores a batch whose lines arrive in pieces, in bounded memory.
   *
   * @throws {ServeError} as `create`, and `PAYLOAD_TOO_LARGE`
   * @throws what the source throws; then nothing of the batch is left
   */
  async receive(owner: Owner, request: JobRequest, source: BatchSource): Promise<Made> {
    const checked = this.#checked(request);
    const hash = hashOf(checked);
    const { made, digest } = await receiveBatch(this.#store, owner, checked, source, hash);
    if (made.created || made.request === digest) return made;
    throw otherRequest();
  }

  /**
   * A job that the caller sees.
   *
   * @param waitMs Waits so long for its end.
   * @throws {ServeError} `NOT_FOUND`
   */
  async find(owner: Owner, id: string, waitMs: number, signal: AbortSignal): Promise<Job> {
    const job = await this.#find(owner, id);
    if (waitMs === 0 || hasEnded(job)) return job;
    const until = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
    for await (const next of this.#changes(owner, id, waitMs, until)) {
      if (next !== undefined && hasEnded(next)) return next;
    }
    return this.#find(owner, id);
  }

  /** The jobs that the caller sees, the newest first; one more than the limit if there are more. */
  list(owner: Owner, page: JobPage): Promise<readonly (Job & { readonly seq: number })[]> {
    return listJobs(this.#store, owner, page);
  }

  /** Cancels a job, also if it is running. @throws {ServeError} `NOT_FOUND`, or `CONFLICT` if it has ended */
  async cancel(owner: Owner, id: string): Promise<Job> {
    const { jobResultTtlSecs } = this.#parts.config;
    return found(await cancelJob(this.#store, owner, id, jobResultTtlSecs));
  }

  /**
   * The job at each of its changes, until it has ended or the thread stops.
   *
   * @param quietMs After this time without a change it yields undefined.
   * @param signal Aborts when nobody reads any more.
   * @throws {ServeError} `NOT_FOUND`
   */
  async *follow(
    owner: Owner,
    id: string,
    quietMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<Job | undefined, void> {
    for await (const job of this.#changes(owner, id, quietMs, signal)) {
      yield job;
      if (job !== undefined && hasEnded(job)) return;
      await sleep(REPORT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * The results of a batch in the order of its lines, as pieces of NDJSON, until it has ended. A job that is no batch has
   * one line.
   *
   * @param signal Aborts when nobody reads any more.
   * @throws {ServeError} `NOT_FOUND`; `DRAINING` if the thread stops before the end
   */
  async *results(owner: Owner, id: string, signal: AbortSignal): AsyncGenerator<string, void> {
    const job = await this.#find(owner, id);
    yield* results(this.#store, this.#watch, job, () => this.#find(owner, id), signal);
  }

  /** How many jobs requests of this thread wait for. */
  get watched(): number {
    return this.#watch.size;
  }

  /** Begins to run jobs, if this thread does. */
  start(routes: InferRoutes): void {
    const { config, first, log, random = Math.random, runner } = this.#parts;
    if (!first) return;
    this.#runner = new JobRunner({
      store: this.#store,
      watch: this.#watch,
      metrics: this.#metrics,
      allowed: this.#allowed,
      ...{ config, log, random, routes },
      ...runner,
    });
    this.#runner.start();
  }

  /** Ends waiting requests, and takes no more jobs. Resolves when those that run have ended or are queued again. */
  drain(): Promise<void> {
    this.#watch.end();
    this.#drained ??= this.#runner?.drain() ?? Promise.resolve();
    return this.#drained;
  }

  /** Drains, and listens no more. */
  async close(): Promise<void> {
    await this.drain();
    await this.#watch.close();
  }

  async #find(owner: Owner, id: string): Promise<Job> {
    return found(await findJob(this.#store, owner, id));
  }

  #checked(request: JobRequest): JobRequest {
    const { webhook } = request;
    if (webhook === undefined) return request;
    if (this.#parts.config.webhookSecret === undefined) {
      throw new ServeError(
        'INVALID_ARGUMENT',
        'This server sends no webhooks, because WEBHOOK_SECRET is not set; leave webhook out.',
      );
    }
    return { ...request, webhook: checkWebhook(webhook, this.#allowed) };
  }

  /** The job now and after each change; undefined if there was none for `quietMs`. */
  async *#changes(
    owner: Owner,
    id: string,
    quietMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<Job | undefined, void> {
    const watcher = await this.#watch.watch(id, signal);
    try {
      let shown: string | undefined;
      let since = performance.now();
      while (!signal.aborted) {
        const job = await this.#find(owner, id);
        const { status, attempts, doneLines } = job;
        const state = `${status} ${attempts} ${doneLines}`;
        const isQuiet = performance.now() - since >= quietMs;
        if (state !== shown || isQuiet) {
          since = performance.now();
          yield state === shown ? undefined : job;
          shown = state;
        }
        if (this.#watch.closed) return;
        await watcher.next(quietMs - (performance.now() - since));
      }
    } finally {
      watcher.close();
    }
  }
}

function found(job: Job | undefined): Job {
  if (job !== undefined) return job;
  throw new ServeError('NOT_FOUND', 'There is no such job; it may have been deleted.');
}

function otherRequest(): ServeError {
  return new ServeError(
    'CONFLICT',
    'The Idempotency-Key was used for another job; choose a new one.',
  );
}

/** The hash of what is asked for, to which the lines of a batch are added. */
function hashOf(request: JobRequest) {
  const { service, path, body, webhook, ttlSecs, maxAttempts } = request;
  const text = JSON.stringify([service, path, body, webhook, ttlSecs, maxAttempts]);
  return createHash('sha256').update(text);
}
