/** @module Tests the `Inference` contract with all its implementations: the client over HTTP, in binary and in JSON, and the engine in process. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createEngine } from '../../services/tools/client/engine.ts';
import {
  type AnyTensor,
  type ClientOptions,
  createClient,
  type Inference,
  InferenceError,
} from '../../services/tools/client/index.ts';
import { ServiceChild } from '../support/child.ts';

const fixtures = path.resolve(import.meta.dirname, '../fixtures/models');
const types = [
  ...['float32', 'float64', 'float16', 'bfloat16', 'int8', 'int16', 'int32', 'int64'],
  ...['uint8', 'uint16', 'uint32', 'uint64', 'bool', 'string'],
];

let folder: string;
let server: ServiceChild;
let url: string;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-contract-'));
  const models = [
    ...types.map((type) => `identity-${type}`),
    'two-in-two-out',
    'slow-loop',
    'poison',
  ];
  for (const name of models) {
    mkdirSync(path.join(folder, name, '1'), { recursive: true });
    cpSync(path.join(fixtures, `${name}.onnx`), path.join(folder, name, '1/model.onnx'));
  }
  mkdirSync(path.join(folder, 'identity-float32/2'));
  const second = path.join(folder, 'identity-float32/2/model.onnx');
  cpSync(path.join(fixtures, 'identity-float32.onnx'), second);
  server = new ServiceChild('services/main.ts', {
    MODEL_PATH: folder,
    SERVICE: 'inference',
    PORT: '0',
  });
  url = `http://127.0.0.1:${await server.port()}`;
});

after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const over = (options: ClientOptions) => async () => createClient(url, options);
const implementations: Readonly<Record<string, () => Promise<Inference>>> = {
  'client, binary': over({}),
  'client, JSON': over({ format: 'json' }),
  engine: () => createEngine({ models: folder }),
};

const floats = (...values: number[]): AnyTensor => ({
  type: 'float32',
  dims: [values.length / 3, 3],
  data: Float32Array.from(values),
});

const loop = (turns: number): Readonly<Record<string, AnyTensor>> => ({
  iterations: { type: 'int64', dims: [1, 1], data: BigInt64Array.of(BigInt(turns)) },
});

const samples: Readonly<Record<string, AnyTensor['data']>> = {
  float32: Float32Array.of(1.5, -0.1, 3e38),
  float64: Float64Array.of(1.5, -0.1, 1e300),
  float16: Uint16Array.of(0x3c00, 0xc000, 0x7bff),
  bfloat16: Uint16Array.of(0x3f80, 0xc000, 0x4000),
  int8: Int8Array.of(-128, 0, 127),
  int16: Int16Array.of(-32768, 0, 32767),
  int32: Int32Array.of(-2147483648, 0, 2147483647),
  int64: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n, 2n ** 63n - 1n),
  uint8: Uint8Array.of(0, 1, 255),
  uint16: Uint16Array.of(0, 1, 65535),
  uint32: Uint32Array.of(0, 1, 4294967295),
  uint64: BigUint64Array.of(0n, 2n ** 53n + 1n, 2n ** 64n - 1n),
  bool: Uint8Array.of(1, 0, 1),
  string: ['', '\ufeffäöü "x"', 'z'],
};

const refused = (promise: Promise<unknown>, code: string) =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof InferenceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.length > 10);
    return true;
  });

for (const [name, open] of Object.entries(implementations)) {
  describe(name, () => {
    let inference: Inference;
    before(async () => {
      inference = await open();
    });
    after(() => inference.close());

    for (const type of types) {
      // JSON cannot represent 16-bit floats and large integers exactly, so the client always sends them as binary data.
      test(`sends and receives ${type} unchanged`, async () => {
        const x = { type, dims: [1, 3], data: samples[type] } as AnyTensor;
        const { outputs } = await inference.infer(`identity-${type}`, { x });
        assert.deepEqual(outputs.y, x);
      });
    }

    test('returns model, version and id, and does not detach the inputs', async () => {
      const x = floats(...Array.from({ length: 30_000 }, (_, i) => i));
      const { model, version, id, outputs } = await inference.infer(
        'identity-float32',
        { x },
        { id: 'a' },
      );
      assert.deepEqual([model, version, id], ['identity-float32', '2', 'a']);
      assert.equal(x.data.length, 30_000);
      assert.deepEqual(outputs.y, x);
    });

    test('runs the requested version', async () => {
      const x = floats(1, 2, 3);
      const { version } = await inference.infer('identity-float32', { x }, { version: '1' });
      assert.equal(version, '1');
      await refused(
        inference.infer('identity-float32', { x }, { version: '9' }),
        'VERSION_NOT_FOUND',
      );
    });

    test('returns only the requested outputs', async () => {
      const inputs = {
        a: { type: 'float32', dims: [1, 2], data: Float32Array.of(1, 2) },
        b: { type: 'int64', dims: [1, 2], data: BigInt64Array.of(3n, 4n) },
      } as const;
      const all = await inference.infer('two-in-two-out', inputs);
      assert.deepEqual(Object.keys(all.outputs).sort(), ['product', 'sum']);
      const one = await inference.infer('two-in-two-out', inputs, { outputs: ['sum'] });
      assert.deepEqual(Object.keys(one.outputs), ['sum']);
      await refused(
        inference.infer('two-in-two-out', inputs, { outputs: ['no'] }),
        'INVALID_ARGUMENT',
      );
    });

    test('returns models, metadata and readiness', async () => {
      assert.equal((await inference.models()).length, types.length + 3);
      assert.equal(await inference.ready(), true);
      assert.equal(await inference.ready('poison'), true);
      assert.deepEqual(await inference.metadata('identity-float32'), {
        name: 'identity-float32',
        versions: ['1', '2'],
        inputs: [{ name: 'x', type: 'float32', dims: [-1, 3] }],
        outputs: [{ name: 'y', type: 'float32', dims: [-1, 3] }],
      });
      await refused(inference.metadata('no'), 'MODEL_NOT_FOUND');
      await refused(inference.ready('no'), 'MODEL_NOT_FOUND');
    });

    test('rejects invalid requests with their codes', async () => {
      await refused(inference.infer('no', {}), 'MODEL_NOT_FOUND');
      await refused(inference.infer('identity-float32', {}), 'INVALID_ARGUMENT');
      await refused(inference.infer('identity-int32', { x: floats(1, 2, 3) }), 'INVALID_ARGUMENT');
      const wide = { ...floats(1, 2, 3), dims: [1, 4] } as AnyTensor;
      await refused(inference.infer('identity-float32', { x: wide }), 'INVALID_ARGUMENT');
      const options = { priority: 1000 };
      await refused(
        inference.infer('identity-float32', { x: floats(1, 2, 3) }, options),
        'INVALID_ARGUMENT',
      );
    });

    test('rejects with DEADLINE_EXCEEDED after timeoutMs', () =>
      refused(
        inference.infer('slow-loop', loop(2_000_000), { timeoutMs: 80 }),
        'DEADLINE_EXCEEDED',
      ));

    test('rejects with the reason of the aborted signal', async () => {
      const reason = new Error('changed my mind');
      const controller = new AbortController();
      const promise = inference.infer('slow-loop', loop(300_000), { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(promise, reason);
    });
  });
}
