/**
 * Gives jobs to workers through BullMQ, on a Redis of its own. The database remains the truth: Redis has only the ids of
 * jobs that wait, and a worker takes a job from the database before it runs it. So what Redis loses or repeats does no
 * harm: jobs that come late are taken from the database itself (`WorkerParts.waitedMs`).
 *
 * @module
 */

import { once } from 'node:events';
import type { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { maxmemoryPolicyOf } from '../maxmemory-policy.ts';
import type { Store } from '../store/store.ts';

const NAME = 'jobs';
const PREFIX = 'millrace';
/** Jobs that are given to Redis with one command. */
const MOST_AT_ONCE = 500;
/** A command that takes longer has failed; the job is given to Redis again. */
const COMMAND_MS = 2000;

/** A worker that cannot take a job, because it stops or the database is away, leaves it to another one. */
const OPTIONS = {
  attempts: 30,
  backoff: { type: 'fixed', delay: 1000 },
  removeOnComplete: true,
  removeOnFail: true,
};

/** Connections that fail at once: the job stays in the database. */
const PRODUCER = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_MS };

export interface QueueParts {
  readonly url: string;
  readonly store: Store;
  readonly log: Log;
  readonly concurrency: number;
  /** Runs the job if it waits. @throws if it could not be taken now */
  run(id: string): Promise<void>;
}

export class JobQueue {
  readonly #parts: QueueParts;
  readonly #producer: Redis;
  readonly #consumer: Redis;
  readonly #queue: Queue;
  readonly #worker: Worker;
  /** Whether Redis is known to keep what it is given. */
  #checked = false;

  private constructor(
    parts: QueueParts,
    { Queue, Worker }: typeof import('bullmq'),
    { Redis }: typeof import('ioredis'),
  ) {
    this.#parts = parts;
    this.#producer = new Redis(parts.url, PRODUCER);
    // The worker waits for as long as it takes.
    this.#consumer = new Redis(parts.url, { maxRetriesPerRequest: null });
    const quiet = () => {};
    for (const client of [this.#producer, this.#consumer]) client.on('error', quiet);
    this.#queue = new Queue(NAME, { connection: this.#producer, prefix: PREFIX });
    this.#worker = new Worker(NAME, ({ data }) => parts.run(data.id), {
      connection: this.#consumer,
      prefix: PREFIX,
      concurrency: parts.concurrency,
    });
    this.#queue.on('error', quiet);
    this.#worker.on('error', quiet);
  }

  static async open(parts: QueueParts): Promise<JobQueue> {
    return new JobQueue(parts, await import('bullmq'), await import('ioredis'));
  }

  /** Gives the jobs to Redis that wait and are not there. */
  async dispatch(): Promise<void> {
    if (!this.#checked) await checkPolicy(this.#producer);
    this.#checked = true;
    while (await this.#dispatchSome()) {}
  }

  /** A job is marked before it is sent, so that one process sends it. If that process stops in between, it comes late. */
  async #dispatchSome(): Promise<boolean> {
    const { store } = this.#parts;
    const jobs = await store.query<{ id: string }>(
      `update jobs set dispatched_at = now() where id in (
         select id from jobs where status = 'queued' and run_after <= now() and dispatched_at is null
         order by run_after, seq limit ${MOST_AT_ONCE} for update skip locked)
       returning id`,
    );
    if (jobs.length === 0) return false;
    try {
      await this.#queue.addBulk(jobs.map((data) => ({ name: 'run', data, opts: OPTIONS })));
      return jobs.length === MOST_AT_ONCE;
    } catch (error) {
      await store.query(
        `update jobs set dispatched_at = null from jsonb_to_recordset($1::jsonb) as kept (id text)
         where jobs.id = kept.id and status = 'queued'`,
        [JSON.stringify(jobs)],
      );
      throw away(error);
    }
  }

  /** Takes no more jobs. */
  async pause(): Promise<void> {
    await this.#worker.pause(true);
  }

  /** Must be called when the jobs that run have ended. */
  async close(): Promise<void> {
    // A worker that waits for Redis would be waited for without end.
    await this.#worker.close(true);
    await this.#queue.close();
    this.#producer.disconnect();
    this.#consumer.disconnect();
  }
}

/**
 * Checks at the start whether Redis keeps what it is given. That it cannot be reached is only logged.
 *
 * @throws {ServeError} `INVALID_CONFIG`
 */
export async function checkQueue(url: string, log: Log): Promise<void> {
  const { Redis } = await import('ioredis');
  const client = new Redis(url, { ...PRODUCER, retryStrategy: null });
  client.on('error', () => undefined);
  try {
    await checkPolicy(client);
  } catch (error) {
    if (!(error instanceof ServeError) || error.code !== 'STORE_UNAVAILABLE') throw error;
    log.warn(
      { err: error },
      'the Redis of the queue is away; jobs are dispatched from the database',
    );
  } finally {
    client.disconnect();
  }
}

/** @throws {ServeError} `INVALID_CONFIG`, or `STORE_UNAVAILABLE` if there is no connection */
export async function checkPolicy(client: Redis): Promise<void> {
  if (client.status !== 'ready') await ready(client);
  const policy = await maxmemoryPolicyOf(client).catch((error: unknown) => {
    throw away(error);
  });
  if (policy === undefined || policy === 'noeviction') return;
  throw new ServeError(
    'INVALID_CONFIG',
    `The Redis of QUEUE_REDIS_URL has maxmemory-policy ${policy}, so that it may drop jobs; set it to noeviction.`,
  );
}

function away(cause: unknown): ServeError {
  return new ServeError('STORE_UNAVAILABLE', 'The Redis of the queue cannot be reached.', {
    cause,
  });
}

/** @throws {ServeError} `STORE_UNAVAILABLE` if the client is not connected in time */
async function ready(client: Redis): Promise<void> {
  const signal = AbortSignal.timeout(COMMAND_MS);
  await once(client, 'ready', { signal }).catch((error: unknown) => {
    throw away(error);
  });
}
