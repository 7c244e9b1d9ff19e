/** @module Helpers of the prediction service's tests. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Config,
  createLog,
  createRuntime,
  type Engine,
  readConfig,
} from '../../runtime/index.ts';
import { createServiceApp, type ServiceApp } from '../../services/http/create-service-app.ts';
import { prediction as predictionService } from '../../services/prediction/index.ts';
import { services } from '../../services/services.ts';
import { PuppetEngine, type PuppetScript, puppetClassifier } from '../support/puppet-engine.ts';

export const root = path.resolve(import.meta.dirname, '../..');
export const fixtures = path.join(root, 'test/fixtures');

/** A row that the demonstration model `iris` takes. */
export const ROW: readonly number[] = [5.1, 3.5, 1.4, 0.2];

type App = ServiceApp;

export interface Opened {
  readonly app: App;
  readonly engine: Engine;
  close(): Promise<void>;
}

/** A fake model with the output name of `models/iris/model.json`. */
function puppetIris(): PuppetScript {
  const { signature, run } = puppetClassifier();
  const [scores] = signature.outputs;
  return {
    signature: { ...signature, outputs: [{ ...scores!, name: 'probabilities' }] },
    run: (inputs) => ({ probabilities: run(inputs).scores! }),
  };
}

/** Creates the service without a port. By default it has the demonstration models on a fake engine. */
export async function openApp(
  engine: Engine = new PuppetEngine(puppetIris),
  settings: Partial<Config> = {},
): Promise<Opened> {
  const env = { MODEL_PATH: path.join(root, 'models'), PORT: '0', LOG_LEVEL: 'silent' };
  const cacheDir = mkdtempSync(path.join(tmpdir(), 'millrace-cache-'));
  const config: Config = {
    ...readConfig(services, { argv: ['prediction'], env, cwd: root }),
    maxInFlight: 64,
    cacheDir,
    ...settings,
  };
  const runtime = await createRuntime(config, engine, { log: createLog('silent') });
  const close = async () => {
    await runtime.admission.drain();
    await runtime.close();
    await engine.close();
    rmSync(cacheDir, { recursive: true });
  };
  return { app: createServiceApp(runtime, predictionService), engine, close };
}

/** Sends `POST /predict`. A body that is not a string is sent as JSON. */
export async function predict(
  app: App,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return app.request('/predict', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The JSON of a response whose status must be 200. */
export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Creates a model repository in a temporary folder. A string is the path of a file to copy, and an object is the content as JSON. */
export function temporaryRepository(files: Readonly<Record<string, string | object>>) {
  const folder = mkdtempSync(path.join(tmpdir(), 'models-'));
  for (const [name, content] of Object.entries(files)) {
    const target = path.join(folder, name);
    mkdirSync(path.dirname(target), { recursive: true });
    if (typeof content === 'string') copyFileSync(path.join(root, content), target);
    else writeFileSync(target, JSON.stringify(content));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(fixtures, name), 'utf8')) as T;
}
