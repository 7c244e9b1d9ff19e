/**
 * Gives jobs to workers through BullMQ, on a Redis of its own. The database remains the truth: Redis has only the ids of
 * jobs that wait, and a worker takes a job from the database before it runs it. So what Redis loses or repeats does no
 * harm: jobs that come late are taken from the database itself (`WorkerParts.waitedMs`).
 *
 * @module
 */

import type { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';

const NAME = 'jobs';
const PREFIX = 'millrace';
/** Jobs that are given to Redis with one command. */
const MOST_AT_ONCE = 500;
/** A command that takes longer has failed; the job is given to Redis again. */
const COMMAND_MS = 2000;

/** Connections that fail at once: the job stays in the database. */
const PRODUCER = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_MS };

export interface QueueParts {
  readonly url: string;
  readonly store: Store;
  readonly log: Log;
  readonly concurrency: number;
  /** Runs the job if it waits. */
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
    // The worker waits for as long as it takes.
    this.#producer = new Redis(parts.url, PRODUCER);
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
    const { store } = this.#parts;
    for (;;) {
      const jobs = await store.query<{ id: string; attempts: number }>(
        `select id, attempts from jobs where status = 'queued' and run_after <= now() and dispatched_at is null
         order by run_after, seq limit ${MOST_AT_ONCE}`,
      );
      if (jobs.length === 0) return;
      // Each start has an id of its own in Redis, which ignores one that it has already.
      await this.#queue.addBulk(
        jobs.map(({ id, attempts }) => ({
          name: 'run',
          data: { id },
          opts: { jobId: `${id}-${attempts}`, removeOnComplete: true, removeOnFail: true },
        })),
      );
      await store.query(
        `update jobs set dispatched_at = now() from jsonb_to_recordset($1::jsonb) as sent (id text, attempts int)
         where jobs.id = sent.id and jobs.attempts = sent.attempts and status = 'queued'`,
        [JSON.stringify(jobs)],
      );
    }
  }

  /** Takes no more jobs. Must be called when those that run have ended. */
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
    if (error instanceof ServeError) throw error;
    log.warn(
      { err: error },
      'the Redis of the queue is away; jobs are dispatched from the database',
    );
  } finally {
    client.disconnect();
  }
}

/** @throws {ServeError} `INVALID_CONFIG` @throws if there is no connection */
async function checkPolicy(client: Redis): Promise<void> {
  if (client.status !== 'ready') await ready(client);
  const policy = /maxmemory_policy:(\S+)/.exec(await client.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  throw new ServeError(
    'INVALID_CONFIG',
    `The Redis of QUEUE_REDIS_URL has maxmemory-policy ${policy}, so that it may drop jobs; set it to noeviction.`,
  );
}

/** Resolves when the client is connected. @throws if that takes too long */
function ready(client: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('There is no connection to Redis'));
    const timer = setTimeout(late, COMMAND_MS);
    client.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
