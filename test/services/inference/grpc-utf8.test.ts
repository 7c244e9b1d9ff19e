/** @module Strings of gRPC messages are UTF-8; bytes that are not are refused, and never become other characters. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type ServiceDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fails, type Message, withClient } from './grpc-client.ts';

const top = path.resolve(import.meta.dirname, '../../..');
const service = loadSync('inference.proto', {
  keepCase: true,
  includeDirs: ['services/inference/grpc', 'runtime/repository'].map((dir) => path.join(top, dir)),
})['inference.GRPCInferenceService'] as ServiceDefinition;

const files = { 'f/1/model.onnx': '=identity-float32', 't/1/model.onnx': '=identity-string' };
/** Stands for two bytes that are not UTF-8. */
const MARK = 'QZ';

/** A message whose marks are bytes that are not UTF-8. */
function encoded(method: string, message: object): Buffer {
  const bytes = Buffer.from(service[method]!.requestSerialize(message));
  assert.ok(bytes.includes(MARK));
  for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK)) {
    bytes[at] = 0xc3;
    bytes[at + 1] = 0x28;
  }
  return bytes;
}

const input = (more: object = {}) => ({
  ...{ name: 'x', datatype: 'FP32', shape: [1, 3], contents: { fp32_contents: [1, 2, 3] } },
  ...more,
});
const message = (more: object = {}) => ({ model_name: 'f', inputs: [input()], ...more });

const REFUSED: Readonly<Record<string, readonly [method: string, message: object]>> = {
  'the name of a model': ['ModelInfer', message({ model_name: `f${MARK}` })],
  'a version': ['ModelInfer', message({ model_version: MARK })],
  'an id': ['ModelInfer', message({ id: MARK })],
  'the name of a parameter': [
    'ModelInfer',
    message({ parameters: { [MARK]: { bool_param: true } } }),
  ],
  'a string parameter': ['ModelInfer', message({ parameters: { a: { string_param: MARK } } })],
  'the name of an input': ['ModelInfer', message({ inputs: [input({ name: MARK })] })],
  'a datatype': ['ModelInfer', message({ inputs: [input({ datatype: MARK })] })],
  'the name of an output': ['ModelInfer', message({ outputs: [{ name: MARK }] })],
  'the name in a metadata request': ['ModelMetadata', { name: MARK }],
  'the name in a load request': ['RepositoryModelLoad', { model_name: MARK }],
};

describe('a string that is not UTF-8', () => {
  test('is refused as an invalid argument in every field', () =>
    withClient(files, async (client) => {
      for (const [what, [method, wrong]] of Object.entries(REFUSED)) {
        const call = client.send(method, encoded(method, wrong));
        await fails(call, status.INVALID_ARGUMENT, /not valid UTF-8: send it as UTF-8/).catch(
          (error: Error) => assert.fail(`${what}: ${error.message}`),
        );
      }
    }));

  test('fails only its own request in a stream', () =>
    withClient(files, async (client) => {
      const stream = client.sendStream();
      const responses: Message[] = [];
      stream.on('data', (response) => responses.push(response));
      stream.write(encoded('ModelInfer', message({ id: MARK })));
      stream.write(Buffer.from(service.ModelInfer!.requestSerialize(message({ id: 'good' }))));
      stream.end();
      await new Promise((resolve) => stream.on('end', resolve));
      assert.match(responses[0].error_message, /not valid UTF-8/);
      assert.equal(responses[0].infer_response.id, '');
      assert.equal(responses[1].infer_response.id, 'good');
      assert.equal(responses[1].error_message, '');
    }));
});

test('strings of any characters and elements of any bytes arrive unchanged', () =>
  withClient(files, async (client) => {
    const id = 'é 💡 \uFFFD';
    const bytes = Buffer.of(0xc3, 0x28, 0);
    const { id: repeated, outputs } = await client.call('ModelInfer', {
      ...{ model_name: 't', id },
      inputs: [input({ datatype: 'BYTES', contents: { bytes_contents: [bytes, bytes, bytes] } })],
    });
    assert.equal(repeated, id);
    assert.deepEqual(outputs[0].contents.bytes_contents, [bytes, bytes, bytes]);
  }));
