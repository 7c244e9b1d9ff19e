/** @module Runs the client's browser bundle in a context that has only web APIs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import vm from 'node:vm';
import { ServiceChild } from '../../../support/child.ts';

const root = path.resolve(import.meta.dirname, '../../../..');

/** The script of a page that uses the client. */
const page = `
  import { createClient } from '${path.join(root, 'services/tools/client/index.ts')}';
  const features = { type: 'float32', dims: [1, 4], data: Float32Array.of(5.1, 3.5, 1.4, 0.2) };
  globalThis.infer = (url, options) => createClient(url, options).infer('iris', { features });
`;

describe('the client, bundled for a browser', () => {
  let folder: string;
  let server: ServiceChild;
  let script: string;

  before(async () => {
    server = new ServiceChild('services/main.ts', { SERVICE: 'inference', PORT: '0' });
    folder = mkdtempSync(path.join(tmpdir(), 'millrace-browser-'));
    const entry = path.join(folder, 'page.js');
    writeFileSync(entry, page);
    const bundle = path.join(folder, 'bundle.js');
    const options = ['--target=browser', '--format=iife', `--outfile=${bundle}`];
    execFileSync(path.join(root, 'node_modules/.bin/bun'), ['build', entry, ...options]);
    script = readFileSync(bundle, 'utf8');
  });

  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server[Symbol.asyncDispose]();
  });

  test('imports no module of Node', () => {
    assert.doesNotMatch(script, /\brequire\(|\bimport\b|node:|process\./);
  });

  for (const format of ['binary', 'json']) {
    test(`runs a model with tensors in ${format}`, async () => {
      const { AbortController, AbortSignal, fetch, setTimeout, clearTimeout } = globalThis;
      const { TextDecoder, TextEncoder, URL, performance, Headers, Response } = globalThis;
      const web = vm.createContext({
        ...{ AbortController, AbortSignal, fetch, setTimeout, clearTimeout },
        ...{ TextDecoder, TextEncoder, URL, performance, Headers, Response },
      });
      vm.runInContext(script, web);
      const port = await server.port();
      const { outputs } = await (web.infer as Infer)(`http://127.0.0.1:${port}`, { format });
      assert.deepEqual(Object.keys(outputs), ['probabilities']);
      assert.equal(outputs.probabilities!.dims[0], 1);
    });
  }
});

type Infer = (
  url: string,
  options: { format: string },
) => Promise<{ outputs: Record<string, { dims: number[] }> }>;
