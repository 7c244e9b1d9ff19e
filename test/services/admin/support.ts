/** @module The gateway on a fake engine, over a store in memory, without a port. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  type Config,
  createLog,
  createRuntime,
  type Probe,
  type ProbeResult,
  type Runtime,
} from '../../../runtime/index.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { gateway } from '../../../services/gateway/index.ts';
import { createServiceApp, type ServiceApp } from '../../../services/http/create-service-app.ts';
import { PuppetEngine } from '../../support/puppet-engine.ts';
import { type TestModel, testRepository } from '../../support/repository.ts';
import { testConfig } from '../../support/service.ts';
import { testStore } from '../../support/store.ts';

export const FOUND: ProbeResult = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
  costs: [{ rows: 1, ms: 0.1 }],
};

/** A response whose body was read as JSON. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on any part of the body.
  readonly body: any;
}

export interface TestGateway extends AsyncDisposable {
  readonly app: ServiceApp;
  readonly runtime: Runtime;
  readonly store: Store;
  /** The folder of the stored artifacts. */
  readonly artifacts: string;
  /** Sends a request with a JSON body, or with a string or bytes unchanged. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Reply>;
  /** Registers a version whose model file has this content. */
  register(
    model: string,
    version: string,
    content?: string | Uint8Array<ArrayBuffer>,
    fields?: Readonly<Record<string, string>>,
  ): Promise<Reply>;
  /** All that is stored, so that a test can assert that it is unchanged. */
  state(): Promise<unknown>;
}

export interface TestGatewayOptions {
  readonly probe?: Probe;
  readonly config?: Partial<Config>;
  readonly models?: Readonly<Record<string, TestModel>>;
}

/** Opens the gateway. The caller declares it with `await using`. */
export async function testGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const repository = testRepository(options.models ?? {});
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-gateway-'));
  const artifacts = path.join(folder, 'artifacts');
  const config = {
    ...testConfig(repository.path),
    ...{ stateDir: folder, artifacts, jobConcurrency: 0 },
    ...options.config,
  };
  const store = await testStore();
  const engine = new PuppetEngine();
  const runtime = await createRuntime(config, engine, {
    store: Promise.resolve(store),
    probe: options.probe ?? (async () => FOUND),
    log: createLog('silent'),
  });
  const app = createServiceApp(runtime, gateway);
  const send: TestGateway['send'] = async (method, url, body, headers = {}) => {
    const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData;
    const content = body === undefined || raw ? body : JSON.stringify(body);
    const type = raw || body === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await app.request(url, {
      ...{ method, headers: { ...type, ...headers } },
      ...(content === undefined ? {} : { body: content as BodyInit }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: JSON.parse(text || 'null') };
  };
  return {
    ...{ app, runtime, store, artifacts, send },
    register: (model, version, content = `${model} ${version}`, fields = {}) =>
      send('POST', `/admin/models/${model}/versions`, formOf(content, { version, ...fields })),
    async state() {
      const tables = ['models', 'model_versions', 'model_labels', 'catalog_events'];
      const rows = tables.map((table) => store.query(`select * from ${table} order by 1, 2`));
      return Promise.all([...rows, runtime.platform!.catalog.snapshot()]);
    },
    async [Symbol.asyncDispose]() {
      await runtime.drain();
      await runtime.close();
      await store.close();
      repository[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A form with an artifact and fields. */
export function formOf(
  content: string | Uint8Array<ArrayBuffer>,
  fields: Readonly<Record<string, string>>,
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('artifact', new Blob([content]), 'model.onnx');
  return form;
}

/** A request that is refused: what follows the path, the body, and what the response says. */
export type Mistake = readonly [
  rest: string,
  body: unknown,
  status: number,
  message: RegExp,
  headers?: Readonly<Record<string, string>>,
];

/** Tests that each mistake gets its status and a sentence without a path, and leaves all that is stored as it is. */
export function refuses(
  gateway: () => TestGateway,
  method: string,
  path: string,
  mistakes: readonly Mistake[],
): void {
  test(`of ${method} ${path} are refused with a sentence, and change nothing`, async () => {
    const { send, state } = gateway();
    const before = await state();
    for (const [rest, body, status, message, headers] of mistakes) {
      const reply = await send(method, `${path}${rest}`, body, headers);
      const about = `${method} ${path}${rest.slice(0, 80)}: ${JSON.stringify(reply.body)}`;
      assert.equal(reply.status, status, about);
      assert.match(reply.body.error, message, about);
      assert.match(reply.body.error, /\.$/, about);
      assert.doesNotMatch(reply.body.error, /\/tmp|\/work|0x|\.ts\b/, about);
      assert.deepEqual(Object.keys(reply.body), ['error', 'code', 'request_id']);
    }
    assert.deepEqual(await state(), before);
  });
}
