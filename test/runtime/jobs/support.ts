/** @module Jobs over a store, with routes that tests answer. */

import {
  type Answer,
  type InferRoutes,
  type Job,
  type JobRequest,
  Jobs,
  type JobsParts,
} from '../../../runtime/jobs/index.ts';
import { createLog } from '../../../runtime/log.ts';
import { Metrics } from '../../../runtime/metrics/index.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { PuppetEngine } from '../../support/puppet-engine.ts';
import { testConfig } from '../../support/service.ts';
import { until } from '../../support/until.ts';

export const never = new AbortController().signal;

export const done = (body: unknown): Answer => ({
  status: 200,
  body: JSON.stringify(body),
  outcome: 'done',
});

export const refused: Answer = {
  status: 400,
  body: '{"error":"The body is wrong.","code":"INVALID_ARGUMENT"}',
  outcome: 'refused',
};

export const failed: Answer = {
  status: 500,
  body: '{"error":"The model failed to run.","code":"INTERNAL"}',
  outcome: 'failed',
};

export const busy: Answer = {
  status: 503,
  body: '{"error":"Too many requests.","code":"OVERLOADED"}',
  outcome: 'busy',
  retryAfterMs: 1000,
};

/** Answers a body; the second argument counts the calls with this body from 1. */
export type Respond = (body: string, call: number, signal: AbortSignal) => Answer | Promise<Answer>;

export class TestRoutes implements InferRoutes {
  /** Bodies in the order of the calls. */
  readonly bodies: string[] = [];
  /** Most calls at the same time. */
  most = 0;
  readonly #respond: Respond;
  #running = 0;

  constructor(respond: Respond) {
    this.#respond = respond;
  }

  check(): void {}

  async call(_target: unknown, body: string, signal: AbortSignal): Promise<Answer> {
    this.bodies.push(body);
    this.#running += 1;
    this.most = Math.max(this.most, this.#running);
    try {
      return await this.#respond(body, this.bodies.filter((each) => each === body).length, signal);
    } finally {
      this.#running -= 1;
    }
  }

  refusal(error: { readonly code: string; readonly message: string }): Answer {
    const body = JSON.stringify({ error: error.message, code: error.code });
    return { status: 500, body, outcome: 'refused' };
  }
}

export interface TestJobs extends AsyncDisposable {
  readonly jobs: Jobs;
  readonly routes: TestRoutes;
  readonly metrics: Metrics;
  readonly lines: Record<string, unknown>[];
}

type Options = Partial<Omit<JobsParts, 'config'>> & {
  readonly config?: Partial<JobsParts['config']>;
};

/** Waits take no time, because the random part of each is 0 and tests move times in the database. */
export async function testJobs(
  store: Store,
  respond: Respond,
  { config, ...options }: Options = {},
): Promise<TestJobs> {
  const metrics = new Metrics(new PuppetEngine().counters, () => []);
  const routes = new TestRoutes(respond);
  const lines: Record<string, unknown>[] = [];
  const log = createLog('warn', { write: (line) => void lines.push(JSON.parse(line)) });
  const jobs = await Jobs.open({
    ...{ store, log, metrics, first: true },
    random: () => 0,
    runner: { everyMs: 50 },
    ...options,
    config: { ...testConfig('/tmp'), webhookSecret: 'key', ...config },
  });
  jobs.start(routes);
  return {
    ...{ jobs, routes, metrics, lines },
    async [Symbol.asyncDispose]() {
      await jobs.drain();
      await jobs.close();
    },
  };
}

export const request = (body: unknown, rest: Partial<JobRequest> = {}): JobRequest => ({
  service: 'prediction',
  path: '/predict',
  body: JSON.stringify(body),
  webhook: undefined,
  ttlSecs: undefined,
  maxAttempts: 3,
  idempotencyKey: undefined,
  ...rest,
});

/** The job when it has ended. */
export async function ended(jobs: Jobs, id: string): Promise<Job> {
  return jobs.find(undefined, id, 20_000, never);
}

/** The job when it has this status. */
export async function reaches(jobs: Jobs, id: string, status: Job['status']): Promise<Job> {
  let job = await jobs.find(undefined, id, 0, never);
  await until(async () => {
    job = await jobs.find(undefined, id, 0, never);
    return job.status === status;
  }, `the job is ${status}`);
  return job;
}

/** Makes everything due now that is repeated after a time, but not webhooks that are being sent, which have a lease of 30 s. */
export async function retryNow(store: Store): Promise<void> {
  await store.query(
    `update jobs set run_after = least(run_after, now()),
       webhook_at = case when webhook_at is null or webhook_at - now() between interval '20.1 s' and interval '30 s'
         then webhook_at else now() end
     where status <> 'running'`,
  );
}

/** Lets the time pass within which jobs must have started. */
export async function passStart(store: Store): Promise<void> {
  await store.query("update jobs set start_by = start_by - interval '1 day'");
}

/** Lets the time pass for which jobs that have ended are kept. */
export async function passKeeping(store: Store): Promise<void> {
  await store.query("update jobs set delete_after = delete_after - interval '1 year'");
}

/** Makes the leases of running jobs end, as if their workers had stopped. */
export async function endLeases(store: Store): Promise<void> {
  await store.query(
    "update jobs set lease_until = now() - interval '1 second' where lease_until is not null",
  );
}

/** Adds a batch of lines. */
export async function batch(
  jobs: Jobs,
  lines: readonly string[],
  rest: Partial<JobRequest> = {},
  limits: { readonly lineBytes?: number; readonly lines?: number } = {},
): Promise<string> {
  const pieces = (async function* () {
    yield new TextEncoder().encode(`${lines.join('\n')}\n`);
  })();
  const source = { pieces, lineBytes: 1000, lines: 10_000, ...limits };
  return (await jobs.receive(undefined, request(null, { body: undefined, ...rest }), source)).id;
}

/** All results of a job. */
export async function resultsOf(jobs: Jobs, id: string): Promise<Record<string, unknown>[]> {
  let text = '';
  for await (const piece of jobs.results(undefined, id, never)) text += piece;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
