/** @module The prediction service on the puppet engine, without a port. */

import {
  type Clock,
  type Config,
  createLog,
  createRuntime,
  type Runtime,
  readConfig,
} from '../../runtime/index.ts';
import type { ServiceApp } from '../../services/http/service-app.ts';
import { predictionApp } from '../../services/prediction/app.ts';
import { PuppetEngine, type PuppetModel, type PuppetRepository } from './puppet-engine.ts';
import { type TestModel, testRepository } from './repository.ts';

/** A classifier with two versions and labels; `puppetClassifier` answers row `i` with class `i`. */
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
  /** The lines logged so far. */
  readonly lines: Record<string, unknown>[];
  /** A loaded version, as in `iris:v1.0`. */
  model(name: string): PuppetModel;
  /** POSTs JSON, or a text as it is, to `/predict`. */
  predict(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export interface TestServiceOptions {
  readonly models?: Readonly<Record<string, TestModel>>;
  readonly engine?: PuppetRepository;
  readonly config?: Partial<Config>;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** To be declared with `using`. */
export async function testService(options: TestServiceOptions = {}): Promise<TestService> {
  const repository = testRepository(options.models ?? TWO_VERSIONS);
  const engine = new PuppetEngine(options.engine);
  const lines: Record<string, unknown>[] = [];
  const config = { ...testConfig(repository.path), ...options.config };
  const log = createLog(config.logLevel, { write: (line) => void lines.push(JSON.parse(line)) });
  const runtime = await createRuntime(config, engine, { ...options, log });
  const app = predictionApp(runtime);
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
  return readConfig({ argv: [], env: { MODEL_PATH: modelPath, PORT: '0' }, cwd: modelPath });
}
