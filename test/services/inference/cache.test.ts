/** @module The response cache under the V2 protocol, over HTTP and gRPC, on the real engine. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Observer } from '../../../runtime/routing/observer.ts';
import { withClient } from './grpc-client.ts';
import { binary, inference, type TestResponse } from './support.ts';

const settings = { cacheTtlSecs: 60 };
const stateOf = ({ headers }: TestResponse) => headers.get('x-cache');

describe('every type of tensor', () => {
  const types: Readonly<Record<string, readonly [string, readonly unknown[]]>> = {
    float32: ['FP32', [1.5, -0, 3]],
    float64: ['FP64', [0.1, -2, 3]],
    int64: ['INT64', [-5, 0, 9007199254740991]],
    uint8: ['UINT8', [0, 1, 255]],
    bool: ['BOOL', [true, false, true]],
    string: ['BYTES', ['ä', '', 'z']],
  };
  for (const [model, [datatype, data]] of Object.entries(types)) {
    test(`${datatype} has the same response from the cache, in JSON and in binary`, async () => {
      await using server = await inference({ 'm/1/model.onnx': `=identity-${model}` }, settings);
      const ask = (id: string, isBinary: boolean) =>
        server.post('/v2/models/m/infer', {
          id,
          inputs: [{ name: 'x', datatype, shape: [1, 3], data }],
          parameters: { binary_data_output: isBinary },
        });
      const [first, json, ...asBinary] = [
        await ask('one', false),
        await ask('two', false),
        await ask('', true),
        await ask('', true),
      ];
      assert.deepEqual([first, json, ...asBinary].map(stateOf), ['miss', 'hit', 'hit', 'hit']);
      assert.deepEqual(json.json, { ...first.json, id: 'two' });
      assert.deepEqual(asBinary[0]!.bytes, asBinary[1]!.bytes);
    });
  }
});

describe('large tensors', () => {
  const image = { 'm/1/model.onnx': '=dynamic-axes' };
  const row = (first: number, count: number) => {
    const values = Float32Array.from({ length: count }, (_, i) => first + i);
    const bytes = new Uint8Array(values.buffer);
    const input = {
      ...{ name: 'x', datatype: 'FP32', shape: [1, count] },
      parameters: { binary_data_size: bytes.length },
    };
    return binary({ inputs: [input], parameters: { binary_data_output: true } }, bytes);
  };

  // Below and above what is lent to the engine, and what is hashed on this thread.
  for (const count of [10_000, 100_000]) {
    test(`of ${count} numbers are told apart, and their bodies are freed`, async () => {
      await using server = await inference(image, settings);
      const ask = (first: number) => {
        const { body, headers } = row(first, count);
        return server.post('/v2/models/m/infer', body, headers);
      };
      const found = [await ask(1), await ask(1), await ask(2), await ask(2)];
      assert.deepEqual(found.map(stateOf), ['miss', 'hit', 'miss', 'hit']);
      const [a, b, c, d] = found.map(({ bytes }) => Buffer.from(bytes));
      assert.ok(a!.equals(b!) && c!.equals(d!) && !b!.equals(c!));
      assert.equal(server.runtime.bodies.bytes.taken, 0);
    });
  }

  test('that are cached are compressed for each response that may be', async () => {
    await using server = await inference(image, settings);
    const { body, headers } = row(1, 10_000);
    const plain = await server.post('/v2/models/m/infer', body, headers);
    const accepting = { ...headers, 'Accept-Encoding': 'gzip' };
    const packed = await server.post('/v2/models/m/infer', body, accepting);
    assert.deepEqual([stateOf(packed), packed.headers.get('content-encoding')], ['hit', 'gzip']);
    assert.deepEqual(new Uint8Array(gunzipSync(packed.bytes)), plain.bytes);
  });
});

test('the form of a response is its own request’s, also when its outputs are cached', async () => {
  await using server = await inference({ 'm/1/model.onnx': '=two-in-two-out' }, settings);
  const metadata = (await server.get('/v2/models/m')).json;
  const inputs = metadata.inputs.map(
    ({ name, datatype, shape }: { name: string; datatype: string; shape: number[] }) => {
      const dims = shape.map((size) => Math.abs(size));
      const data = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i);
      return { name, datatype, shape: dims, data };
    },
  );
  const [a, b] = metadata.outputs.map(({ name }: { name: string }) => ({ name }));
  const ask = async (body: object) => {
    const response = await server.post('/v2/models/m/infer', body);
    assert.equal(response.status, 200, response.text);
    const names = response.json.outputs.map(({ name }: { name: string }) => name);
    return [stateOf(response), ...names];
  };
  assert.deepEqual(await ask({ inputs }), ['miss', a.name, b.name]);
  assert.deepEqual(await ask({ inputs: inputs.toReversed() }), ['hit', a.name, b.name]);
  assert.deepEqual(await ask({ inputs, outputs: [b] }), ['miss', b.name]);
  assert.deepEqual(await ask({ inputs, outputs: [b, a] }), ['miss', b.name, a.name]);
  const classes = { ...b, parameters: { classification: 1 } };
  assert.deepEqual(await ask({ inputs, outputs: [classes] }), ['hit', b.name]);
});

test('hits are observed as requests of their arm', async () => {
  const observed: string[] = [];
  const observer: Observer = {
    observe: ({ arm, failed }) => void observed.push(`${arm} ${failed}`),
    compared() {},
  };
  const files = {
    'm/1/model.onnx': '=identity-float32',
    'm/2/model.onnx': '=identity-float32',
    'm/model.json': JSON.stringify({ traffic: { 1: 1, 2: 1 } }),
  };
  await using server = await inference(files, settings, { observer, random: () => 0.9 });
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }];
  const ask = async () => stateOf(await server.post('/v2/models/m/infer', { inputs }));
  assert.deepEqual([await ask(), await ask(), await ask()], ['miss', 'hit', 'hit']);
  assert.deepEqual(observed, ['2 false', '2 false', '2 false']);
});

test('gRPC and HTTP share what is cached', () =>
  withClient(
    { 'f/1/model.onnx': '=identity-float32' },
    async (client, server) => {
      const message = (id: string) => ({
        ...{ model_name: 'f', id },
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [1, 3], contents: { fp32_contents: [1, 2, 3] } },
        ],
      });
      const runs = () => server.runtime.routes.get('f')!.loaded()[0]!.stats().completed;
      const before = runs();
      const first = await client.call('ModelInfer', message('a'));
      const second = await client.call('ModelInfer', message('b'));
      assert.equal(runs(), before + 1);
      assert.deepEqual(second, { ...first, id: 'b' });
      const response = await server.post('/v2/models/f/infer', {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }],
      });
      assert.equal(stateOf(response), 'hit');
      assert.deepEqual(response.json.outputs[0].data, [1, 2, 3]);
    },
    settings,
  ));
