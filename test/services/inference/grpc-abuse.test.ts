/** @module Wrong and hostile gRPC messages: the client's fault in every case, and the server lives on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { fails, type GrpcClient, type Message, withClient } from './grpc-client.ts';

const identity = { 'f/1/model.onnx': '=identity-float32', 't/1/model.onnx': '=identity-string' };
const MOST = '9223372036854775807';
const raw = Buffer.from(Float32Array.of(1, 2, 3).buffer);
const contents = { fp32_contents: [1, 2, 3] };

const message = (input: object = {}, more: object = {}) => ({
  model_name: 'f',
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['1', '3'], contents, ...input }],
  ...more,
});

async function responses(client: GrpcClient): Promise<void> {
  const { outputs } = await client.call('ModelInfer', message());
  assert.deepEqual(outputs[0].contents.fp32_contents, [1, 2, 3]);
}

describe('what does not fit together', () => {
  const text = { name: 'x', datatype: 'BYTES', shape: ['1', '3'] };
  const cases: Readonly<Record<string, readonly [Message, RegExp]>> = {
    'more raw contents than inputs': [
      message({ contents: null }, { raw_input_contents: [raw, raw] }),
      /2 entries for 1 inputs/,
    ],
    'both raw and typed': [message({}, { raw_input_contents: [raw] }), /send it in one of them/],
    'neither raw nor typed': [message({ contents: null }), /0 elements/],
    'raw contents that are too short': [
      message({ contents: null }, { raw_input_contents: [raw.subarray(4)] }),
      /2 elements, but its shape \[1,3\] holds 3/,
    ],
    'a shape whose elements overflow': [message({ shape: [MOST, MOST] }), /has the shape/],
    'a size past 2^53': [message({ shape: [MOST] }), /has the shape/],
    'a size past 2^31': [message({ shape: ['4294967296', '3'] }), /3 elements/],
    'no elements and a size past 2^53': [message({ shape: ['0', MOST], contents: null }), /./],
    'a negative size': [message({ shape: ['-3', '-1'] }), /0 or more/],
    'a thousand dimensions': [message({ shape: [...Array(999).fill('1'), '3'] }), /./],
    'raw strings that end too early': [
      { model_name: 't', inputs: [text], raw_input_contents: [Buffer.of(9, 0, 0, 0)] },
      /ends in the middle of an element/,
    ],
    'a raw string as long as it can be': [
      { model_name: 't', inputs: [text], raw_input_contents: [Buffer.of(255, 255, 255, 255, 0)] },
      /ends in the middle of an element/,
    ],
    'a timeout that is a text': [
      message({}, { parameters: { timeout: { string_param: 'soon' } } }),
      /timeout must be/,
    ],
    'a negative priority': [
      message({}, { parameters: { priority: { int64_param: '-1' } } }),
      /priority must be/,
    ],
    'a reserved parameter': [
      message({}, { parameters: { triton_x: { bool_param: true } } }),
      /reserved/,
    ],
  };
  test('is INVALID_ARGUMENT with a sentence, and the next call is answered', () =>
    withClient(identity, async (client) => {
      for (const [name, [wrong, sentence]] of Object.entries(cases)) {
        await fails(client.call('ModelInfer', wrong), status.INVALID_ARGUMENT, sentence).catch(
          (error: Error) => assert.fail(`${name}: ${error.message}`),
        );
        await responses(client);
      }
    }));

  /** Messages that quote it must not outgrow the trailers of the response, which the client would not read. */
  test('however long what a message quotes is', () =>
    withClient(identity, async (client) => {
      for (const letter of ['n', 'ü', '💡', '\n']) {
        const long = letter.repeat(2 ** 20 / Buffer.byteLength(letter));
        const cases: Readonly<Record<string, readonly [string, Message, status]>> = {
          model: ['ModelInfer', message({}, { model_name: long }), status.NOT_FOUND],
          version: ['ModelInfer', message({}, { model_version: long }), status.NOT_FOUND],
          id: ['ModelInfer', message({}, { id: long }), status.INVALID_ARGUMENT],
          input: ['ModelInfer', message({ name: long }), status.INVALID_ARGUMENT],
          datatype: ['ModelInfer', message({ datatype: long }), status.INVALID_ARGUMENT],
          output: [
            'ModelInfer',
            message({}, { outputs: [{ name: long }] }),
            status.INVALID_ARGUMENT,
          ],
          parameter: [
            'ModelInfer',
            message({}, { parameters: { [`triton_${long}`]: { bool_param: true } } }),
            status.INVALID_ARGUMENT,
          ],
          metadata: ['ModelMetadata', { name: long }, status.NOT_FOUND],
          statistics: ['ModelStatistics', { name: 'f', version: long }, status.NOT_FOUND],
          shape: [
            'ModelInfer',
            message({ shape: Array(100_000).fill('1') }),
            status.INVALID_ARGUMENT,
          ],
        };
        for (const [name, [method, wrong, code]] of Object.entries(cases)) {
          await fails(client.call(method, wrong), code).catch((error: Error) =>
            assert.fail(`${name}: ${error.message.slice(0, 200)}`),
          );
        }
      }
      await responses(client);
    }));

  test('parameters of any name and every type are taken', () =>
    withClient(identity, async (client) => {
      const parameters = {
        a: { bool_param: true },
        b: { int64_param: MOST },
        c: { string_param: 'x' },
        d: { double_param: 0.5 },
        e: { uint64_param: '18446744073709551615' },
        priority: { uint64_param: '2' },
        timeout: { uint64_param: '18446744073709551615' },
      };
      const { id } = await client.call('ModelInfer', message({}, { id: 'me', parameters }));
      assert.equal(id, 'me');
    }));
});

/** Field 15, which is unknown, as a group that opens and never closes, read by who skips what it does not know. */
const GROUP = 0x7b;

const garbage: Readonly<Record<string, Uint8Array>> = {
  'no field at all': Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
  'a field that ends too early': Uint8Array.of(0x3a, 100, 0x66),
  'groups without end': new Uint8Array(100_000).fill(GROUP),
  JSON: new TextEncoder().encode('{"model_name":"f"}'),
};

describe('bytes that are no message', () => {
  test('are INVALID_ARGUMENT', () =>
    withClient(identity, async (client) => {
      for (const [name, bytes] of Object.entries(garbage)) {
        for (const method of ['ModelInfer', 'ModelMetadata']) {
          await fails(client.send(method, bytes), status.INVALID_ARGUMENT, /not its message/).catch(
            (error: Error) => assert.fail(`${name}: ${error.message}`),
          );
        }
        await responses(client);
      }
    }));
});

test('bytes that are no message are told in a stream, which goes on', () =>
  withClient(identity, async (client) => {
    const stream = client.sendStream();
    const told: string[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('data', ({ error_message }: Message) => told.push(error_message));
      stream.on('end', resolve);
      stream.on('error', reject);
    });
    // A message whose only field names the model.
    const named = Uint8Array.of(0x0a, 1, 'f'.charCodeAt(0));
    for (const bytes of [...Object.values(garbage), named]) stream.write(bytes);
    stream.end();
    await ended;
    assert.equal(told.length, Object.keys(garbage).length + 1);
    assert.match(told.pop()!, /'x' is missing/);
    for (const error of told) assert.match(error, /not its message/);
  }));

test('a message past the limit is RESOURCE_EXHAUSTED', () =>
  withClient(
    identity,
    async (client) => {
      const large = message({ contents: null }, { raw_input_contents: [Buffer.alloc(200_000)] });
      await fails(client.call('ModelInfer', large), status.RESOURCE_EXHAUSTED);
      await responses(client);
    },
    { maxRequestBytes: 100_000 },
  ));
