/** @module The services in processes of their own, over repositories made of fixtures. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { type TestModel, testRepository } from '../support/repository.ts';
import { until } from '../support/until.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const fixture = (name: string) => path.join(top, 'test/fixtures/models', `${name}.onnx`);

/** A row that the demonstration model `iris` takes. */
export const ROW: readonly number[] = [5.1, 3.5, 1.4, 0.2];

/** The demonstration classifier, and a model whose runs take about a microsecond for each turn asked for. */
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

/** The body of a request that keeps the model `slow` busy for about that long. */
export const slow = (ms: number) => ({ model: 'slow', features: [ms * 1000] });

export interface Running extends AsyncDisposable {
  readonly child: ServiceChild;
  readonly url: string;
  readonly port: number;
  /** POSTs an object as JSON, a text as it is. */
  predict(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** `/metrics` as it is. */
  page(): Promise<string>;
  /** The number that a line of `/metrics` with these labels adds up to. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

/** Starts the prediction service and waits until it is ready. To be declared with `await using`. */
export async function start(
  env: Readonly<Record<string, string>> = {},
  models: Readonly<Record<string, TestModel>> = MODELS,
  args: readonly string[] = [],
): Promise<Running> {
  const repository = testRepository(models);
  // Of its own, so that no test starts with what another one has measured.
  const cache = `${repository.path}-cache`;
  const remove = () => {
    repository[Symbol.dispose]();
    rmSync(cache, { recursive: true, force: true });
  };
  const settings = {
    ...{ MODEL_PATH: repository.path, CACHE_DIR: cache, SERVICE: 'prediction', PORT: '0' },
    ...env,
  };
  const child = new ServiceChild('services/main.ts', settings, args);
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

/** Sum of the samples of a page that have this name and at least these labels; 0 where there is none. */
export function sumOf(
  page: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** How a model's requests ended, in the order of the engine's contract, and what is still in it. */
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

/** The page once the model `slow` has nothing left to do. */
export async function settled(service: Running): Promise<string> {
  let page = '';
  await until(async () => {
    page = await service.page();
    const { queued, running } = outcomesOf(page, 'slow');
    return queued + running === 0;
  }, 'nothing is in the model');
  return page;
}

/** Resolves when the model `slow` has so many requests. */
export const inModel = (service: Running, queued: number, running: number): Promise<void> =>
  until(async () => {
    const now = outcomesOf(await service.page(), 'slow');
    return now.queued === queued && now.running === running;
  }, `${queued} requests wait and ${running} run`);

/** HTTP answers of `POST /predict` so far, by status. */
export function answersOf(page: string): Readonly<Record<string, number>> {
  const found = page.matchAll(
    /^http_requests_total\{method="POST",route="\/predict",status="(\d+)",service="prediction"\} (\d+)$/gm,
  );
  return Object.fromEntries([...found].map(([, status, count]) => [status, Number(count)]));
}
