/** @module The NLP service without a port, on the real engine, with small models of fixed weights. */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEngine } from '../../../native/index.ts';
import {
  type Config,
  createLog,
  createRuntime,
  type Runtime,
  readConfig,
} from '../../../runtime/index.ts';
import { createServiceApp, type ServiceApp } from '../../../services/http/create-service-app.ts';
import type { ServiceDefinition } from '../../../services/http/service-definition.ts';
import { nlp } from '../../../services/nlp/index.ts';
import { services } from '../../../services/services.ts';
import { root } from '../support.ts';

export const FIXTURES = path.join(root, 'test/fixtures/text');

/** A folder of the repository. */
export interface TextFolder {
  /** The folder that is copied: of `test/fixtures/text`, or with a slash relative to the top folder. */
  readonly from: string;
  /** Files that replace those of the folder, as text or as an object that becomes JSON. */
  readonly files?: Readonly<Record<string, string | object>>;
  /** Files that are left out. */
  readonly without?: readonly string[];
}

export type TextFolders = Readonly<Record<string, string | TextFolder>>;

/** One model of each task. */
export const MODELS: TextFolders = {
  sentiment: 'bert-sentiment',
  ner: 'bert-ner',
  nli: 'roberta-nli',
  embedder: 'bert-embed',
  reranker: 'xlmr-rerank',
};

export interface NlpService extends AsyncDisposable {
  readonly app: ServiceApp;
  readonly runtime: Runtime;
  /** Sends a request with an object as JSON, or with a string or bytes unchanged. */
  send(
    method: string,
    path: string,
    body: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** The JSON of a response whose status must be 200. */
  ask<T = Record<string, unknown>>(path: string, body: unknown): Promise<T>;
}

/** Makes a repository in a temporary folder. */
export function textRepository(folders: TextFolders): Disposable & { readonly path: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-text-'));
  for (const [name, given] of Object.entries(folders)) {
    const {
      from,
      files = {},
      without = [],
    }: TextFolder = typeof given === 'string' ? { from: given } : given;
    const source = from.includes('/') ? path.join(root, from) : path.join(FIXTURES, from);
    cpSync(source, path.join(folder, name), { recursive: true });
    for (const file of without) rmSync(path.join(folder, name, file));
    for (const [file, content] of Object.entries(files)) {
      const text = typeof content === 'string' ? content : JSON.stringify(content);
      writeFileSync(path.join(folder, name, file), text);
    }
  }
  return {
    path: folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Creates the service. The caller declares it with `await using`. */
export async function openNlp(
  folders: TextFolders = MODELS,
  settings: Partial<Config> = {},
  service: ServiceDefinition = nlp,
): Promise<NlpService> {
  const repository = textRepository(folders);
  const env = { MODEL_PATH: repository.path, PORT: '0', LOG_LEVEL: 'silent' };
  const config = {
    ...readConfig(services, { argv: ['nlp'], env, cwd: repository.path }),
    ...settings,
  };
  const engine = openEngine();
  const runtime = await createRuntime(config, engine, { log: createLog('silent') });
  const app = createServiceApp(runtime, service);
  const send: NlpService['send'] = async (method, path, body, headers = {}) =>
    app.request(path, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: toBody(body) }),
    });
  const post: NlpService['post'] = (path, body, headers) => send('POST', path, body, headers);
  return {
    app,
    runtime,
    send,
    post,
    async ask(path, body) {
      const response = await post(path, body);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text);
    },
    async [Symbol.asyncDispose]() {
      await runtime.admission.drain();
      await runtime.close();
      await engine.close();
      repository[Symbol.dispose]();
    },
  };
}

const toBody = (body: unknown): string | Uint8Array<ArrayBuffer> =>
  typeof body === 'string' || body instanceof Uint8Array
    ? (body as string | Uint8Array<ArrayBuffer>)
    : JSON.stringify(body);
