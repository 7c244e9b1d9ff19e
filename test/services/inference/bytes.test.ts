/** @module Tests that BYTES elements may be any bytes: every protocol keeps them unchanged, except JSON, which needs UTF-8. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { packStrings } from '../../../runtime/index.ts';
import { prepareRaw } from '../../../services/inference/raw.ts';
import { fails, withClient } from './grpc-client.ts';
import { binary, inference } from './support.ts';

const files = { 'm/1/model.onnx': '=identity-string' };
const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const rows: Readonly<Record<string, readonly Uint8Array[]>> = {
  'every byte': [every, every, every],
  'bytes that are not UTF-8': [
    Uint8Array.of(0xff, 0xfe),
    Uint8Array.of(0xc0, 0x80),
    Uint8Array.of(0xed, 0xa0, 0x80),
  ],
  'a byte order mark, a zero and nothing': [
    Uint8Array.of(0xef, 0xbb, 0xbf, 0x61),
    Uint8Array.of(0),
    Uint8Array.of(),
  ],
};
const url = '/v2/models/m/infer';
const input = { name: 'x', datatype: 'BYTES', shape: [1, 3] };
const inBinary = (packed: Uint8Array, rest: object) =>
  binary(
    { ...rest, inputs: [{ ...input, parameters: { binary_data_size: packed.length } }] },
    packed,
  );

describe('BYTES over REST', () => {
  for (const [name, row] of Object.entries(rows)) {
    test(`binary data keeps ${name}`, async () => {
      await using server = await inference(files);
      const packed = packStrings(row);
      const { body, headers } = inBinary(packed, { parameters: { binary_data_output: true } });
      const response = await server.post(url, body, headers);
      assert.equal(response.status, 200, response.text);
      const json = Number(response.headers.get('inference-header-content-length'));
      assert.deepEqual(response.bytes.subarray(json), packed);
    });
  }

  test('a raw body is one element', () => {
    const signature = {
      inputs: [{ name: 'x', type: 'string', dims: [-1, 1], symbols: ['', ''] }],
      outputs: [],
      batching: { enabled: true, maxRows: 8, reason: '' },
    };
    const { runs } = prepareRaw({ signature } as never, every);
    assert.deepEqual(runs, [{ x: { type: 'string', dims: [1, 1], data: packStrings([every]) } }]);
  });

  test('outputs that are not UTF-8 are refused in JSON, with the advice to use binary data', async () => {
    await using server = await inference(files);
    const { body, headers } = inBinary(packStrings(rows['bytes that are not UTF-8']!), {});
    const response = await server.post(url, body, headers);
    assert.equal(response.status, 400);
    assert.match(response.json.error, /Element 0 .* not UTF-8.*binary data/);
    // JSON keeps every valid string.
    const strings = ['\ufeffa\0b', '', 'größer 💡'];
    const text = inBinary(packStrings(strings), {});
    const { json } = await server.post(url, text.body, text.headers);
    assert.deepEqual(json.outputs[0].data, strings);
  });

  test('inputs and outputs in shared memory are refused', async () => {
    await using server = await inference(files);
    const data = ['a', 'b', 'c'];
    const parameters = { shared_memory_region: 'mine', shared_memory_byte_size: 8 };
    for (const request of [
      { inputs: [{ ...input, data, parameters }] },
      { inputs: [{ ...input, data }], outputs: [{ name: 'y', parameters }] },
    ]) {
      const response = await server.post(url, request);
      assert.equal(response.status, 400);
      assert.match(response.json.error, /shared memory/);
    }
  });
});

describe('BYTES over gRPC', () => {
  for (const [name, row] of Object.entries(rows)) {
    test(`raw and typed contents keep ${name}`, () =>
      withClient(files, async (client) => {
        const packed = Buffer.from(packStrings(row));
        const raw = await client.call('ModelInfer', {
          model_name: 'm',
          inputs: [input],
          raw_input_contents: [packed],
        });
        assert.deepEqual(raw.raw_output_contents, [packed]);
        const contents = { bytes_contents: row };
        const typed = await client.call('ModelInfer', {
          model_name: 'm',
          inputs: [{ ...input, contents }],
        });
        assert.deepEqual(
          typed.outputs[0].contents.bytes_contents,
          row.map((element) => Buffer.from(element)),
        );
      }));
  }

  test('inputs and outputs in shared memory are refused', () =>
    withClient(files, async (client) => {
      const contents = { bytes_contents: rows['every byte'] };
      const parameters = {
        shared_memory_region: { string_param: 'mine' },
        shared_memory_byte_size: { int64_param: '8' },
      };
      for (const message of [
        { inputs: [{ ...input, contents, parameters }] },
        { inputs: [{ ...input, parameters }] },
        { inputs: [{ ...input, contents }], outputs: [{ name: 'y', parameters }] },
      ]) {
        const call = client.call('ModelInfer', { model_name: 'm', ...message });
        await fails(call, status.INVALID_ARGUMENT, /shared memory/);
      }
    }));
});
