/** @module Starts the services in a separate process, with a repository of fixture models. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { sumOf } from '../support/metrics.ts';
import { type TestModel, testRepository } from '../support/repository.ts';
import { stateFolder } from '../support/store.ts';
import { until } from '../support/until.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const fixture = (name: string) => path.join(top, 'test/fixtures/models', `${name}.onnx`);

/** A row that the demonstration model `iris` takes. */
export const ROW: readonly number[] = [5.1, 3.5, 1.4, 0.2];

/** The demonstration classifier, and a model whose runs take about two microseconds per requested iteration. */
export const MODELS: Readonly<Record<string, TestModel>> = {
  iris: {
    config: {
      task: 'classification',
      output: 'probabilities',
      labels: ['setosa', 'versicolor', 'virginica'],
      default: true,
    },
    versions: { 'v1.0': path.join(top, 'models/iris/v1.0/model.onnx') },
  },
  slow: { config: { batching: false, instances: 1 }, versions: { '1': fixture('slow-loop') } },
};

/** The body of a request that runs for about `ms` milliseconds in the model `slow`. */
export const slow = (ms: number) => ({ model: 'slow', features: [ms * 500] });

export interface Running extends AsyncDisposable {
  readonly child: ServiceChild;
  readonly url: string;
  readonly port: number;
  /** Sends a POST with an object as JSON, or with a string unchanged. */
  predict(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The text of `/metrics`. */
  page(): Promise<string>;
  /** The sum of the samples of `/metrics` with this name and at least these labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

/** Starts the prediction service and waits until it is ready. The caller declares it with `await using`. */
export async function start(
  env: Readonly<Record<string, string>> = {},
  models: Readonly<Record<string, TestModel>> = MODELS,
  args: readonly string[] = [],
  script = 'services/main.ts',
): Promise<Running> {
  const repository = testRepository(models);
  // Each test has its own cache, without measurements of other tests.
  const cache = `${repository.path}-cache`;
  const named: Readonly<Record<string, string>> = { SERVICE: 'prediction', ...env };
  // To make a database takes a service many seconds on a busy machine.
  const isEmbedded = ['all', 'gateway'].includes(named.SERVICE!) && !('DATABASE_URL' in named);
  const state = isEmbedded ? await stateFolder() : undefined;
  const remove = () => {
    repository[Symbol.dispose]();
    state?.[Symbol.dispose]();
    rmSync(cache, { recursive: true, force: true });
  };
  const settings = {
    ...{ MODEL_PATH: repository.path, CACHE_DIR: cache, PORT: '0' },
    ...(state && { STATE_DIR: state.path }),
    ...named,
  };
  const child = new ServiceChild(script, settings, args);
  const port = await child.port().catch(async (error: unknown) => {
    await child[Symbol.asyncDispose]();
    remove();
    throw error;
  });
  const url = `http://127.0.0.1:${port}`;
  const page = async () => (await fetch(`${url}/metrics`)).text();
  return {
    child,
    url,
    port,
    predict: (body, headers = {}) =>
      fetch(`${url}/predict`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    page,
    metric: async (name, labels) => sumOf(await page(), name, labels),
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      remove();
    },
  };
}

/** The numbers of a model's requests by outcome, and of those that are queued or running. */
export function outcomesOf(page: string, model: string) {
  const ended = (outcome: string) =>
    sumOf(page, 'millrace_model_requests_total', { model, outcome });
  return {
    completed: ended('completed'),
    failed: ended('failed'),
    cancelled: ended('cancelled'),
    expired: ended('expired'),
    queued: sumOf(page, 'millrace_model_queue_depth', { model }),
    running: sumOf(page, 'millrace_model_running', { model }),
  };
}

/** The metrics page, once no request is queued or running in the model `slow`. */
export async function settled(service: Running): Promise<string> {
  let page = '';
  await until(async () => {
    page = await service.page();
    const { queued, running } = outcomesOf(page, 'slow');
    return queued + running === 0;
  }, 'nothing is in the model');
  return page;
}

/** Resolves when the model `slow` has this many queued and running requests. */
export const inModel = (service: Running, queued: number, running: number): Promise<void> =>
  until(async () => {
    const now = outcomesOf(await service.page(), 'slow');
    return now.queued === queued && now.running === running;
  }, `${queued} requests wait and ${running} run`);

/** The number of responses to `POST /predict` so far, by status. */
export function responseCounts(page: string): Readonly<Record<string, number>> {
  const found = page.matchAll(
    /^http_requests_total\{method="POST",route="\/predict",status="(\d+)",service="prediction"\} (\d+)$/gm,
  );
  return Object.fromEntries([...found].map(([, status, count]) => [status, Number(count)]));
}
