/** @module The inference service on the real engine, without a port, with a repository of fixture models. */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
import type { Observer } from '../../../runtime/routing/observer.ts';
import { createServiceApp, type ServiceApp } from '../../../services/http/create-service-app.ts';
import type { ServiceDefinition } from '../../../services/http/service-definition.ts';
import { inference as inferenceService } from '../../../services/inference/index.ts';
import { services } from '../../../services/services.ts';

const fixtures = path.resolve(import.meta.dirname, '../../fixtures/models');

/** The path of a fixture model. */
export const fixture = (name: string): string => path.join(fixtures, `${name}.onnx`);

/** The files of a repository by path: the content, or `=` and the name of a fixture model. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface Inference extends AsyncDisposable {
  readonly app: ServiceApp;
  readonly runtime: Runtime;
  readonly root: string;
  get(path: string): Promise<TestResponse>;
  /** Sends a POST with an object as JSON, or with a string or bytes unchanged. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<TestResponse>;
  write(files: Files): void;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a response may be any JSON
  readonly json: any;
}

export interface Parts {
  /** Default: the inference service. The prediction service has the routes of the protocol too. */
  readonly service?: ServiceDefinition;
  /** The source of random numbers for the traffic split. */
  readonly random?: () => number;
  readonly observer?: Observer;
}

/** Starts the service. The caller declares it with `await using`. */
export async function inference(
  files: Files,
  settings: Partial<Config> = {},
  { service = inferenceService, ...parts }: Parts = {},
): Promise<Inference> {
  const root = mkdtempSync(path.join(tmpdir(), 'millrace-v2-'));
  const write = (contents: Files) => {
    for (const [name, content] of Object.entries(contents)) {
      const file = path.join(root, name);
      mkdirSync(path.dirname(file), { recursive: true });
      if (typeof content === 'string' && content.startsWith('='))
        cpSync(fixture(content.slice(1)), file);
      else writeFileSync(file, content);
    }
  };
  write(files);
  const env = { MODEL_PATH: root, LOG_LEVEL: 'silent', PORT: '0' };
  const config = { ...readConfig(services, { argv: ['inference'], env, cwd: root }), ...settings };
  const engine = openEngine();
  const runtime = await createRuntime(config, engine, { ...parts, log: createLog('silent') });
  const app = createServiceApp(runtime, service);
  const send = async (url: string, init?: RequestInit): Promise<TestResponse> => {
    const response = await app.request(url, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    const { status, headers } = response;
    return {
      status,
      headers,
      bytes,
      text,
      get json() {
        return JSON.parse(text);
      },
    };
  };
  return {
    app,
    runtime,
    root,
    get: (url) => send(url),
    post: (url, body, headers = {}) => {
      const raw = typeof body === 'string' || body instanceof Uint8Array;
      return send(url, {
        method: 'POST',
        headers: raw ? headers : { 'Content-Type': 'application/json', ...headers },
        // Deno sends a Content-Type for an empty string, but not without a body.
        body: raw ? (body as string) || null : JSON.stringify(body),
      });
    },
    write,
    async [Symbol.asyncDispose]() {
      await runtime.admission.drain();
      await runtime.close();
      await engine.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A JSON header followed by binary data, and the HTTP headers for this body. */
export function binary(json: object, ...blobs: readonly Uint8Array[]) {
  const head = new TextEncoder().encode(JSON.stringify(json));
  const body = new Uint8Array(head.length + blobs.reduce((sum, blob) => sum + blob.length, 0));
  body.set(head);
  let at = head.length;
  for (const blob of blobs) {
    body.set(blob, at);
    at += blob.length;
  }
  return { body, headers: { 'Inference-Header-Content-Length': String(head.length) } };
}
