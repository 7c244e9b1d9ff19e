/** @module Tests the protocol over gRPC on the real engine, with a client of @grpc/grpc-js. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ServiceError, status } from '@grpc/grpc-js';
import { STATUS } from '../../../services/http/error-response.ts';
import { CODES } from '../../../services/inference/grpc/status.ts';
import { fails, type Message, withClient } from './grpc-client.ts';

const identity = { 'f/1/model.onnx': '=identity-float32' };
const typed = (data = [1, 2, 3]) => ({
  model_name: 'f',
  id: 'a',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], contents: { fp32_contents: data } }],
});
const raw = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);

describe('a gRPC call', () => {
  test('gets typed contents for typed contents, and raw ones for raw ones', () =>
    withClient(identity, async (client) => {
      const one = await client.call('ModelInfer', typed());
      assert.deepEqual([one.model_name, one.model_version, one.id], ['f', '1', 'a']);
      assert.deepEqual(one.outputs[0].contents.fp32_contents, [1, 2, 3]);
      assert.deepEqual(one.outputs[0].shape, ['1', '3']);
      assert.equal(one.raw_output_contents.length, 0);
      const other = await client.call('ModelInfer', {
        model_name: 'f',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 3] }],
        raw_input_contents: [raw(1, 2, 3, 4, 5, 6)],
      });
      assert.deepEqual(other.raw_output_contents[0], raw(1, 2, 3, 4, 5, 6));
    }));

  test('gets raw contents from a model without inputs', () =>
    withClient({ 'm/1/model.onnx': '=no-input' }, async (client) => {
      const response = await client.call('ModelInfer', { model_name: 'm' });
      assert.deepEqual(response.raw_output_contents[0], raw(1, 2, 3));
    }));

  const values: Readonly<Record<string, readonly [string, string, readonly unknown[]]>> = {
    BOOL: ['bool', 'bool_contents', [true, false, true]],
    INT8: ['int8', 'int_contents', [-128, 0, 127]],
    INT32: ['int32', 'int_contents', [-5, 0, 5]],
    INT64: ['int64', 'int64_contents', ['-9223372036854775808', '0', '9007199254740993']],
    UINT8: ['uint8', 'uint_contents', [0, 1, 255]],
    UINT64: ['uint64', 'uint64_contents', ['0', '1', '18446744073709551615']],
    FP64: ['float64', 'fp64_contents', [0.1, -2, 3]],
    BYTES: ['string', 'bytes_contents', [Buffer.from('ä'), Buffer.from(''), Buffer.from('z')]],
  };
  for (const [datatype, [model, field, data]] of Object.entries(values)) {
    test(`carries ${datatype} in its field of InferTensorContents`, () =>
      withClient({ 'm/1/model.onnx': `=identity-${model}` }, async (client) => {
        const response = await client.call('ModelInfer', {
          model_name: 'm',
          inputs: [{ name: 'x', datatype, shape: [1, 3], contents: { [field]: data } }],
        });
        assert.deepEqual(response.outputs[0].contents[field], data);
      }));
  }

  test('carries FP16 as raw contents', () =>
    withClient({ 'm/1/model.onnx': '=identity-float16' }, async (client) => {
      const bits = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x3400).buffer);
      const inputs = [{ name: 'x', datatype: 'FP16', shape: [1, 3] }];
      const message = { model_name: 'm', inputs, raw_input_contents: [bits] };
      assert.deepEqual((await client.call('ModelInfer', message)).raw_output_contents[0], bits);
    }));

  for (const rows of [2, 20_000]) {
    test(`reads ${rows} raw rows at every alignment within their messages`, () =>
      withClient(identity, async (client) => {
        const data = Buffer.from(Float32Array.from({ length: rows * 3 }, (_, i) => i).buffer);
        const stream = client.stream();
        const responses: Message[] = [];
        const ended = new Promise((resolve, reject) => {
          stream.on('data', (response: Message) => responses.push(response));
          stream.on('end', resolve).on('error', reject);
        });
        // Each id is one byte longer than the last, so the data after it starts at another alignment.
        const ids = Array.from({ length: 8 }, (_, length) => 'x'.repeat(length));
        for (const id of ids) {
          stream.write({
            ...{ model_name: 'f', id },
            inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 3] }],
            raw_input_contents: [data],
          });
        }
        stream.end();
        await ended;
        const inferred = responses.map(({ infer_response }) => infer_response);
        assert.deepEqual(
          inferred.map(({ id }) => id),
          ids,
        );
        for (const { raw_output_contents } of inferred)
          assert.ok(data.equals(raw_output_contents[0]));
      }));
  }

  test('returns health, metadata, configuration, statistics and the index', () =>
    withClient(identity, async (client) => {
      assert.equal((await client.call('ServerLive', {})).live, true);
      assert.equal((await client.call('ServerReady', {})).ready, true);
      assert.equal((await client.call('ServerMetadata', {})).name, 'millrace');
      assert.equal((await client.call('ModelReady', { name: 'f' })).ready, true);
      const metadata = await client.call('ModelMetadata', { name: 'f' });
      assert.deepEqual(metadata.inputs, [{ name: 'x', datatype: 'FP32', shape: ['-1', '3'] }]);
      const { config } = await client.call('ModelConfig', { name: 'f' });
      assert.deepEqual([config.name, config.platform], ['f', 'onnxruntime_onnx']);
      await client.call('ModelInfer', typed());
      const { model_stats } = await client.call('ModelStatistics', { name: 'f' });
      assert.equal(model_stats[0].inference_stats.success.count, '2');
      const { models } = await client.call('RepositoryIndex', {});
      assert.deepEqual(models, [{ name: 'f', version: '1', state: 'READY', reason: '' }]);
    }));

  test('loads and unloads models', () =>
    withClient(
      identity,
      async (client) => {
        await client.call('RepositoryModelUnload', { model_name: 'f' });
        await fails(client.call('ModelInfer', typed()), status.NOT_FOUND, /no model 'f'/);
        await client.call('RepositoryModelLoad', { model_name: 'f' });
        await client.call('ModelInfer', typed());
        await fails(client.call('RepositoryModelLoad', { model_name: 'no' }), status.NOT_FOUND);
      },
      { modelControlMode: 'explicit', loadModels: ['*'] },
    ));
});

describe('a stream', () => {
  test('gets responses in order, with errors among them', () =>
    withClient(identity, async (client) => {
      const stream = client.stream();
      const responses: Message[] = [];
      const ended = new Promise<void>((resolve, reject) => {
        stream.on('data', (response) => responses.push(response));
        stream.on('end', resolve);
        stream.on('error', reject);
      });
      for (let i = 0; i < 20; i += 1) {
        const bad = i % 5 === 4 ? { model_name: 'no' } : {};
        stream.write({ ...typed([i, i, i]), id: String(i), ...bad });
      }
      const parameters = { triton_enable_empty_final_response: { bool_param: true } };
      stream.write({ ...typed(), id: 'last', parameters });
      stream.end();
      await ended;
      assert.deepEqual(
        responses.map(({ infer_response, error_message }) => [
          infer_response.id,
          error_message !== '',
        ]),
        [...Array.from({ length: 20 }, (_, i) => [String(i), i % 5 === 4]), ['last', false]],
      );
      const { triton_final_response: final } = responses.at(-1).infer_response.parameters;
      assert.equal(final.bool_param, true);
    }));

  test('that exceeds the limit on requests in flight waits, and gets all its responses', () =>
    withClient(
      identity,
      async (client) => {
        const stream = client.stream();
        const ids: string[] = [];
        const ended = new Promise<void>((resolve, reject) => {
          stream.on('data', ({ error_message, infer_response }: Message) => {
            ids.push(error_message || infer_response.id);
          });
          stream.on('end', resolve);
          stream.on('error', reject);
        });
        const sent = Array.from({ length: 200 }, (_, i) => String(i));
        for (const id of sent) stream.write({ ...typed(), id });
        stream.end();
        await ended;
        assert.deepEqual(ids, sent);
      },
      { maxInFlight: 4 },
    ));

  test('that is cancelled ends with CANCELLED', () =>
    withClient({ 's/1/model.onnx': '=slow-loop' }, async (client) => {
      const stream = client.stream();
      const failed = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
      const contents = { int64_contents: ['100000'] };
      const inputs = [{ name: 'iterations', datatype: 'INT64', shape: [1, 1], contents }];
      for (let i = 0; i < 4; i += 1) stream.write({ model_name: 's', inputs });
      stream.cancel();
      assert.equal((await failed).code, status.CANCELLED);
    }));
});

describe('errors', () => {
  const input = typed().inputs[0]!;
  const cases: Readonly<Record<string, readonly [object, status, RegExp]>> = {
    'an unknown model': [{ ...typed(), model_name: 'no' }, status.NOT_FOUND, /'no'/],
    'an unknown version': [{ ...typed(), model_version: '9' }, status.NOT_FOUND, /'9'/],
    'no inputs': [{ model_name: 'f' }, status.INVALID_ARGUMENT, /'x' is missing/],
    'an unknown datatype': [
      { ...typed(), inputs: [{ ...input, datatype: 'FP31' }] },
      status.INVALID_ARGUMENT,
      /datatype 'FP31'/,
    ],
    'contents in the wrong field': [
      { ...typed(), inputs: [{ ...input, contents: { int_contents: [1, 2, 3] } }] },
      status.INVALID_ARGUMENT,
      /goes into fp32_contents, not int_contents/,
    ],
    'too few elements': [typed([1]), status.INVALID_ARGUMENT, /1 elements/],
    'a negative size': [
      { ...typed(), inputs: [{ ...input, shape: [-1, 3] }] },
      status.INVALID_ARGUMENT,
      /0 or more/,
    ],
    'a wrong number of raw contents': [
      { ...typed(), raw_input_contents: [raw(1), raw(2)] },
      status.INVALID_ARGUMENT,
      /one for each input or leave them all out/,
    ],
    'raw contents of a wrong length': [
      {
        model_name: 'f',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3] }],
        raw_input_contents: [Buffer.from([1, 2, 3])],
      },
      status.INVALID_ARGUMENT,
      /multiple of 4/,
    ],
    'an unknown output': [{ ...typed(), outputs: [{ name: 'z' }] }, status.INVALID_ARGUMENT, /'z'/],
  };
  for (const [name, [message, code, text]] of Object.entries(cases)) {
    test(`${name} gets ${status[code]}`, () =>
      withClient(identity, async (client) => {
        await fails(client.call('ModelInfer', message), code, text);
        await client.call('ModelInfer', typed());
      }));
  }

  test('unloading gets UNAVAILABLE unless MODEL_CONTROL_MODE is explicit', () =>
    withClient(identity, (client) =>
      fails(
        client.call('RepositoryModelUnload', { model_name: 'f' }),
        status.UNAVAILABLE,
        /explicit/,
      ),
    ));

  test('a deadline reaches the batcher', () =>
    withClient({ 's/1/model.onnx': '=slow-loop' }, async (client) => {
      const contents = { int64_contents: ['2000000'] };
      const inputs = [{ name: 'iterations', datatype: 'INT64', shape: [1, 1], contents }];
      const deadline = new Date(Date.now() + 100);
      const call = client.call('ModelInfer', { model_name: 's', inputs }, deadline);
      await fails(call, status.DEADLINE_EXCEEDED);
    }));

  test('every error code of the runtime has a gRPC status and an HTTP status', () => {
    assert.deepEqual(Object.keys(CODES).sort(), Object.keys(STATUS).sort());
  });
});
