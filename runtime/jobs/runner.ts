/** @module Everything that happens to jobs in the background, in the first HTTP thread of a process. */

import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { InferRoutes } from './job.ts';
import { readBacklog, sweepJobs } from './lease-table.ts';
import type { JobMetrics } from './metrics.ts';
import { JobQueue } from './queue.ts';
import { Repeater } from './repeater.ts';
import { type JobWatch, QUEUED } from './watch.ts';
import { Webhooks } from './webhooks/deliver.ts';
import type { Allowed } from './webhooks/destinations.ts';
import { JobWorker } from './worker.ts';

export interface RunnerParts {
  readonly store: Store;
  readonly watch: JobWatch;
  readonly routes: InferRoutes;
  readonly config: Config;
  readonly log: Log;
  readonly random: () => number;
  readonly metrics: JobMetrics;
  readonly allowed: Allowed;
  /** See `WorkerParts`. */
  readonly leaseMs?: number;
  /** How often to look for what is late, milliseconds. */
  readonly everyMs?: number;
}

const LEASE_MS = 20_000;
const EVERY_MS = 1000;
/** With a queue in Redis, jobs that have waited for so long are taken from the database. */
const LATE_MS = 15_000;
/** Lines of each batch that run at a time, unless the server takes fewer requests. */
const LINES_AT_ONCE = 64;

export class JobRunner {
  readonly #parts: RunnerParts;
  readonly #worker: JobWorker;
  readonly #sweeps: Repeater;
  readonly #webhooks: Webhooks | undefined;
  #started: Promise<unknown> = Promise.resolve();
  #queue: JobQueue | undefined;
  #dispatches: Repeater | undefined;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    const { config, log, store, random, metrics, allowed, routes, watch } = parts;
    const { everyMs = EVERY_MS, leaseMs = LEASE_MS } = parts;
    const { jobConcurrency: concurrency, maxInFlight, webhookSecret: secret } = config;
    this.#worker = new JobWorker({
      ...{ store, routes, random, watch, log, metrics, concurrency },
      ttlSecs: config.jobResultTtlSecs,
      // Half of the permits are left to requests of clients.
      linesAtOnce: Math.max(Math.min(LINES_AT_ONCE, Math.floor(maxInFlight / 2 / concurrency)), 1),
      ...{ everyMs, leaseMs },
      waitedMs: config.queueRedisUrl === undefined ? 0 : LATE_MS,
      drainMs: config.exitTimeoutMs / 2,
    });
    this.#sweeps = new Repeater('looking after jobs', () => this.#sweep(), everyMs, log);
    if (secret !== undefined) {
      this.#webhooks = new Webhooks({
        store,
        log,
        random,
        metrics,
        secret,
        everyMs,
        sender: { allowed },
      });
    }
  }

  /** Begins to run jobs. */
  start(): void {
    const { config, log, watch } = this.#parts;
    this.#sweeps.wake();
    this.#webhooks?.start();
    if (config.jobConcurrency > 0) this.#worker.start();
    this.#started = this.#openQueue().catch((err: unknown) =>
      log.error({ err }, 'jobs start late'),
    );
    const listener = (notice: string) => {
      this.#worker.notice(notice);
      if (notice === '' || notice.startsWith(QUEUED)) this.#dispatches?.wake();
    };
    // What changed before it listened was not heard, and without notifications jobs start at the next look.
    watch
      .listen(listener)
      .then(() => listener(''))
      .catch((err: unknown) => log.warn({ err }, 'jobs start late'));
  }

  /** Takes no more jobs. Resolves when those that run have ended or are queued again. */
  async drain(): Promise<void> {
    const drained = this.#worker.drain();
    await this.#started;
    await this.#queue?.pause();
    await Promise.all([this.#sweeps.stop(), this.#dispatches?.stop(), this.#webhooks?.stop()]);
    await drained;
    await this.#queue?.close();
  }

  async #openQueue(): Promise<void> {
    const { config, log, store, everyMs = EVERY_MS } = this.#parts;
    const { queueRedisUrl: url, jobConcurrency: concurrency } = config;
    if (url === undefined || concurrency === 0) return;
    const run = (id: string) => this.#worker.runById(id);
    const queue = await JobQueue.open({ url, store, log, concurrency, run });
    this.#queue = queue;
    this.#dispatches = new Repeater('dispatching jobs', () => queue.dispatch(), everyMs, log);
    this.#dispatches.wake();
  }

  async #sweep(): Promise<void> {
    const { config, metrics, routes, store } = this.#parts;
    const lost = routes.refusal(
      new ServeError('INTERNAL', 'Every server that ran the job has stopped before its end.'),
    );
    await sweepJobs(store, lost, config.jobResultTtlSecs);
    metrics.backlog(await readBacklog(store));
  }
}
