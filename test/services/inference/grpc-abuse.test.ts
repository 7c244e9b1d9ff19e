/** @module Sends invalid and hostile gRPC messages: each gets an error of the client, and the server continues to work. */
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

async function assertServes(client: GrpcClient): Promise<void> {
  const { outputs } = await client.call('ModelInfer', message());
  assert.deepEqual(outputs[0].contents.fp32_contents, [1, 2, 3]);
}

describe('an invalid request', () => {
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
    'a timeout that is a string': [
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
  test('gets INVALID_ARGUMENT with a message, and the next request succeeds', () =>
    withClient(identity, async (client) => {
      for (const [name, [wrong, sentence]] of Object.entries(cases)) {
        await fails(client.call('ModelInfer', wrong), status.INVALID_ARGUMENT, sentence).catch(
          (error: Error) => assert.fail(`${name}: ${error.message}`),
        );
        await assertServes(client);
      }
    }));

  /** Error messages must fit into the trailers of the response, or clients do not read them. */
  test('gets a short message even if it contains a megabyte to quote', () =>
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
      await assertServes(client);
    }));

  test('is not one whose parameters have any names and types', () =>
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

/** The tag of the unknown field 15 as the start of a group. A reader that skips unknown fields follows it. */
const GROUP = 0x7b;

const garbage: Readonly<Record<string, Uint8Array>> = {
  'no field at all': Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
  'a field that ends too early': Uint8Array.of(0x3a, 100, 0x66),
  'groups without end': new Uint8Array(100_000).fill(GROUP),
  JSON: new TextEncoder().encode('{"model_name":"f"}'),
};

describe('bytes that are not a message', () => {
  test('get INVALID_ARGUMENT', () =>
    withClient(identity, async (client) => {
      for (const [name, bytes] of Object.entries(garbage)) {
        for (const method of ['ModelInfer', 'ModelMetadata']) {
          await fails(client.send(method, bytes), status.INVALID_ARGUMENT, /not its message/).catch(
            (error: Error) => assert.fail(`${name}: ${error.message}`),
          );
        }
        await assertServes(client);
      }
    }));
});

test('bytes that are not a message get an error in a stream, which continues', () =>
  withClient(identity, async (client) => {
    const stream = client.sendStream();
    const errors: string[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('data', ({ error_message }: Message) => errors.push(error_message));
      stream.on('end', resolve);
      stream.on('error', reject);
    });
    // This message has only the field model_name.
    const named = Uint8Array.of(0x0a, 1, 'f'.charCodeAt(0));
    for (const bytes of [...Object.values(garbage), named]) stream.write(bytes);
    stream.end();
    await ended;
    assert.equal(errors.length, Object.keys(garbage).length + 1);
    assert.match(errors.pop()!, /'x' is missing/);
    for (const error of errors) assert.match(error, /not its message/);
  }));

test('a message beyond the size limit gets RESOURCE_EXHAUSTED', () =>
  withClient(
    identity,
    async (client) => {
      const large = message({ contents: null }, { raw_input_contents: [Buffer.alloc(200_000)] });
      await fails(client.call('ModelInfer', large), status.RESOURCE_EXHAUSTED);
      await assertServes(client);
    },
    { maxRequestBytes: 100_000 },
  ));
