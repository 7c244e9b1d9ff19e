/** @module The prediction service on the fake engine, without a port. */

import {
  type Caller,
  type Clock,
  type Config,
  createLog,
  createRuntime,
  type InferenceSteps,
  type Prediction,
  type Runtime,
  readConfig,
  ServeError,
  type TabularTask,
} from '../../runtime/index.ts';
import type { Observer } from '../../runtime/routing/observer.ts';
import { createServiceApp, type ServiceApp } from '../../services/http/create-service-app.ts';
import { prediction } from '../../services/prediction/index.ts';
import { services } from '../../services/services.ts';
import { PuppetEngine, type PuppetModel, type PuppetRepository } from './puppet-engine.ts';
import { type TestModel, testRepository } from './repository.ts';

/** A classifier with two versions and labels; `puppetClassifier` returns class `i` for row `i`. */
export const TWO_VERSIONS: Readonly<Record<string, TestModel>> = {
  iris: {
    config: { task: 'classification', labels: ['setosa', 'versicolor', 'virginica'] },
    versions: { 'v1.0': '', 'v2.0': '' },
  },
};

export interface TestService extends Disposable {
  readonly app: ServiceApp;
  readonly engine: PuppetEngine;
  readonly runtime: Runtime;
  /** The parsed lines of the log so far. */
  readonly lines: Record<string, unknown>[];
  /** Returns a loaded version by a name such as `iris:v1.0`. */
  model(name: string): PuppetModel;
  /** Sends `POST /predict` with an object as JSON, or with a string unchanged. */
  predict(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export interface TestServiceOptions {
  readonly models?: Readonly<Record<string, TestModel>>;
  readonly engine?: PuppetRepository;
  readonly config?: Partial<Config>;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly first?: boolean;
  readonly observer?: Observer;
}

/** A request with features, as `infer` takes it. */
export interface FeatureRequest {
  readonly model?: string | undefined;
  readonly version: string | undefined;
  readonly features: readonly unknown[];
}

const steps: InferenceSteps<
  FeatureRequest,
  Parameters<TabularTask['decode']>[1],
  readonly Prediction[]
> = {
  route: ({ model, version }) => ({ model, version }),
  prepare({ features }, { task }) {
    if (task instanceof ServeError) throw task;
    return { ...task.prepare(features, { nonFinite: 'string' }), outputs: task.outputs };
  },
  respond({ version, results, context }) {
    if (version.task instanceof ServeError) throw version.task;
    return version.task.decode(results, context);
  },
};

/** Runs a request through the pipeline as `/predict` does, without HTTP. */
export async function infer(
  runtime: Runtime,
  request: FeatureRequest,
  caller: Caller = { timeLeft: () => undefined, signal: undefined },
) {
  const { response, version, timings, maxRows } = await runtime.infer(steps, request, caller);
  const { model, version: name } = version;
  return { model, version: name, predictions: response, timings, maxRows };
}

/** Creates the service. The caller declares it with `using`. */
export async function testService(options: TestServiceOptions = {}): Promise<TestService> {
  const repository = testRepository(options.models ?? TWO_VERSIONS);
  const engine = new PuppetEngine(options.engine);
  const lines: Record<string, unknown>[] = [];
  const config = { ...testConfig(repository.path), ...options.config };
  const log = createLog(config.logLevel, { write: (line) => void lines.push(JSON.parse(line)) });
  const runtime = await createRuntime(config, engine, { ...options, log });
  const app = createServiceApp(runtime, prediction);
  return {
    app,
    engine,
    runtime,
    lines,
    model: (name) => engine.models.get(name)!,
    predict: async (body, headers = {}) =>
      app.request('/predict', {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'Content-Type': 'application/json', ...headers },
      }),
    [Symbol.dispose]: () => repository[Symbol.dispose](),
  };
}

export function testConfig(modelPath: string): Config {
  return readConfig(services, {
    argv: [],
    env: { MODEL_PATH: modelPath, PORT: '0' },
    cwd: modelPath,
  });
}
