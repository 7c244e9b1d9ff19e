/** @module Takes jobs that wait and runs them, several at a time, in the first HTTP thread of a process. */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Claim, claimJobs, renewLeases, requeueJob, requeueUnknown } from './lease-table.ts';
import type { JobMetrics } from './metrics.ts';
import { Repeater } from './repeater.ts';
import { runBatch } from './run-batch.ts';
import { type Ended, end, type RunParts, runJob } from './run-job.ts';
import { CANCELLED, type JobWatch, QUEUED } from './watch.ts';

export interface WorkerParts extends RunParts {
  readonly watch: JobWatch;
  readonly log: Log;
  readonly metrics: JobMetrics;
  /** Jobs that run at a time. */
  readonly concurrency: number;
  /** Lines of each batch that run at a time. */
  readonly linesAtOnce: number;
  /** After this time without a sign of life the jobs of a worker are run by another one. */
  readonly leaseMs: number;
  /** Takes only jobs that have waited for so long; the others come by `runById`. */
  readonly waitedMs: number;
  /** How often to look for jobs that nobody has told of, milliseconds. */
  readonly everyMs: number;
  /** How long a stop waits for jobs, milliseconds; then they are queued again. */
  readonly drainMs: number;
}

interface Running {
  readonly claim: Claim;
  /** Aborted when the job is not this worker's any more, or when the worker has to stop. */
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class JobWorker {
  readonly #parts: WorkerParts;
  readonly #name = `worker_${randomBytes(8).toString('hex')}`;
  /** A job may be here twice, if its lease has ended and this worker has started it again. */
  readonly #running = new Set<Running>();
  readonly #claims: Repeater;
  readonly #leases: Repeater;
  /** One claim after the other, because a job that was claimed is unknown until the answer is here. */
  #last: Promise<unknown> = Promise.resolve();
  /** Whether a claim has failed, which may have started jobs all the same. */
  #uncertain = false;
  #draining = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { everyMs, leaseMs, log } = parts;
    this.#claims = new Repeater('taking jobs', () => this.#claimAll(), everyMs, log);
    this.#leases = new Repeater('renewing leases of jobs', () => this.#renew(), leaseMs / 4, log);
  }

  /** Begins to run jobs. */
  start(): void {
    this.#claims.wake();
    this.#leases.wake();
  }

  /** Reacts to a notification; see `watch.ts`. */
  notice(notice: string): void {
    if (notice === '' || notice.startsWith(QUEUED)) this.#claims.wake();
    if (notice === '') this.#leases.wake();
    if (notice.startsWith(CANCELLED)) {
      for (const { claim, stop } of this.#running) if (claim.id === notice.slice(1)) stop.abort();
    }
  }

  /** Runs the job if it waits, and resolves when it has run. @throws {ServeError} `DRAINING` */
  async runById(id: string): Promise<void> {
    const [run] = await this.#claim(1, 0, id);
    if (run === undefined && this.#draining) {
      throw new ServeError('DRAINING', 'The worker takes no more jobs.');
    }
    await run?.ended;
  }

  /** Takes no more jobs. Resolves when those that run have ended or are queued again. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#claims.stop();
    await this.#last;
    const running = [...this.#running];
    const late = new AbortController();
    const drained = Promise.all(running.map(({ ended }) => ended)).then(() => late.abort());
    // Of a batch only the lines in progress are lost, so nothing is gained by waiting.
    for (const { claim, stop } of running) if (claim.body === undefined) stop.abort();
    await sleep(this.#parts.drainMs, undefined, { signal: late.signal }).catch(() => undefined);
    for (const { stop } of running) stop.abort();
    await drained;
    await this.#leases.stop();
  }

  async #claimAll(): Promise<void> {
    const { concurrency, waitedMs } = this.#parts;
    while (!this.#draining && this.#running.size < concurrency) {
      const free = concurrency - this.#running.size;
      const started = await this.#claim(free, waitedMs);
      if (started.length < free) return;
    }
  }

  #claim(most: number, waitedMs: number, id?: string): Promise<readonly Running[]> {
    const { store, leaseMs, metrics } = this.#parts;
    const claim = async () => {
      if (this.#draining) return [];
      if (this.#uncertain) {
        const known = [...this.#running].map((each) => each.claim.id);
        await requeueUnknown(store, this.#name, known);
      }
      this.#uncertain = true;
      const options = { worker: this.#name, leaseMs, most, waitedMs, ...(id && { id }) };
      const claims = await claimJobs(store, options);
      this.#uncertain = false;
      for (const { waitedMs: waited } of claims) metrics.started(waited);
      return claims.map((each) => this.#begin(each));
    };
    const started = this.#last.then(claim);
    this.#last = started.catch(() => undefined);
    return started;
  }

  #begin(claim: Claim): Running {
    const stop = new AbortController();
    const ended = this.#run(claim, stop.signal)
      // The lease of the job ends, and then it is run again or has failed.
      .catch((err: unknown) =>
        this.#parts.log.error({ err, job: claim.id }, 'running a job failed'),
      )
      .finally(() => {
        this.#running.delete(run);
        this.#claims.wake();
      });
    const run = { claim, stop, ended };
    this.#running.add(run);
    return run;
  }

  async #run(claim: Claim, signal: AbortSignal): Promise<void> {
    const run = claim.body === undefined ? this.#runBatch(claim, signal) : undefined;
    const status = await (run ?? runJob(claim, signal, this.#parts));
    if (status !== undefined) this.#parts.metrics.ended(status);
  }

  async #runBatch(claim: Claim, signal: AbortSignal): Promise<Ended> {
    const { linesAtOnce, store } = this.#parts;
    const complete = await runBatch(claim, linesAtOnce, signal, this.#parts);
    if (complete) return end(claim, 'succeeded', undefined, signal, this.#parts);
    await requeueJob(store, claim, false, 0);
    return undefined;
  }

  async #renew(): Promise<void> {
    const running = [...this.#running];
    if (running.length === 0) return;
    const claims = running.map(({ claim }) => claim);
    const ours = await renewLeases(this.#parts.store, claims, this.#parts.leaseMs);
    for (const { claim, stop } of running) if (!ours.has(claim)) stop.abort();
  }
}
