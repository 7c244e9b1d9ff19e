/** @module Sends the webhooks of jobs that have ended, until their receivers have taken them. */

import type { Log } from '../../log.ts';
import type { Store } from '../../store/store.ts';
import { jobJson } from '../job-json.ts';
import { findJob } from '../job-table.ts';
import type { JobMetrics } from '../metrics.ts';
import { Repeater } from '../repeater.ts';
import { backoffMs, WEBHOOK_ATTEMPTS, webhookBackoff } from '../retry.ts';
import { type Sender, send } from './send.ts';
import { sign } from './signature.ts';

/** Webhooks that are sent at a time. */
const AT_ONCE = 16;
/** Time after which another process sends a webhook again whose sender has stopped; longer than a request may take. */
const LEASE_SECS = 30;
/** A longer result is left out of the body; the receiver gets it from `GET /jobs/{id}`. */
const MOST_RESULT = 256 * 1024;

export interface WebhookParts {
  readonly store: Store;
  readonly log: Log;
  readonly random: () => number;
  readonly metrics: JobMetrics;
  readonly sender: Sender;
  readonly secret: string;
  /** How often to look for webhooks, milliseconds. */
  readonly everyMs: number;
}

interface Due {
  readonly id: string;
  readonly webhook: string;
  readonly webhook_attempts: number;
}

/** Sends webhooks that are due, some at a time, from one thread of the process. */
export class Webhooks {
  readonly #parts: WebhookParts;
  readonly #rounds: Repeater;
  readonly #sending = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#rounds = new Repeater(
      'sending webhooks',
      () => this.#sendDue(),
      parts.everyMs,
      parts.log,
    );
  }

  start(): void {
    this.#rounds.wake();
  }

  /** Ends requests that are in progress, which are repeated later. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#rounds.stop();
    await Promise.all(this.#sending);
  }

  async #sendDue(): Promise<void> {
    const free = AT_ONCE - this.#sending.size;
    if (free === 0) return;
    const due = await this.#parts.store.query<Due>(
      `update jobs set webhook_attempts = webhook_attempts + 1,
         webhook_at = now() + $2::float8 * interval '1 second'
       where id in (select id from jobs where webhook_at <= now() order by webhook_at limit $1 for update skip locked)
       returning id, webhook, webhook_attempts`,
      [free, LEASE_SECS],
    );
    for (const each of due) {
      const sent = deliver(this.#parts, each, this.#stop.signal)
        .catch((err: unknown) => this.#parts.log.warn({ err, job: each.id }, 'sending failed'))
        .then(() => {
          this.#sending.delete(sent);
          if (due.length === free) this.#rounds.wake();
        });
      this.#sending.add(sent);
    }
  }
}

async function deliver(parts: WebhookParts, due: Due, signal: AbortSignal): Promise<void> {
  const { store, log, metrics, random } = parts;
  const { id, webhook_attempts: attempts } = due;
  const fault = await post(parts, due, signal);
  if (signal.aborted) return;
  if (fault === undefined) {
    metrics.webhook('delivered');
    await settle(store, due, 'delivered', undefined);
  } else if (attempts < WEBHOOK_ATTEMPTS) {
    metrics.webhook('retried');
    await settle(store, due, 'pending', backoffMs(webhookBackoff, attempts, random()));
  } else {
    metrics.webhook('failed');
    log.warn({ job: id, reason: fault }, 'a webhook was not taken');
    await settle(store, due, 'failed', undefined);
  }
}

/** The reason why the receiver has not taken it; undefined if it has. */
async function post(
  { store, sender, secret }: WebhookParts,
  { id, webhook }: Due,
  signal: AbortSignal,
): Promise<string | undefined> {
  const job = await findJob(store, undefined, id);
  if (job === undefined) return undefined;
  const body = jobJson(job, MOST_RESULT);
  const headers = {
    'Content-Type': 'application/json',
    'User-Agent': 'millrace',
    'X-Millrace-Signature': sign(body, Math.floor(Date.now() / 1000), secret),
  };
  try {
    const status = await send(sender, webhook, body, headers, signal);
    return status >= 200 && status < 300 ? undefined : `its receiver answered ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @param retryMs When it is sent again; undefined if it is not. */
async function settle(
  store: Store,
  { id, webhook_attempts: attempts }: Due,
  status: 'pending' | 'delivered' | 'failed',
  retryMs: number | undefined,
): Promise<void> {
  await store.query(
    `update jobs set webhook_status = $3, webhook_at = now() + $4::float8 * interval '1 millisecond'
     where id = $1 and webhook_attempts = $2`,
    [id, attempts, status, retryMs ?? null],
  );
}
