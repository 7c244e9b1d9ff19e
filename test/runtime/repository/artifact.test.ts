/** @module A registered version is read from the files of its artifact, in any layout of a model's folder. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { readArtifact } from '../../../runtime/repository/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';

async function read(files: Files, config?: unknown) {
  using folder = temporaryFiles(files);
  const about = { model: 'iris', version: 'v3.0', folder: folder.path, config };
  const model = await readArtifact(about).catch((error: Error) => {
    assert.ok(!error.message.includes(folder.path), error.message);
    throw error;
  });
  const [version] = model.versions;
  return { ...model, file: path.relative(folder.path, version!.path) };
}

describe('the model file of an artifact', () => {
  for (const [what, file, others] of [
    ['lies at the top', 'model.onnx', {}],
    ['is the only one at the top', 'net.onnx', {}],
    ['lies in the folder of a version', 'v1.0/model.onnx', {}],
    ['lies beside config.pbtxt', '1/model.onnx', { 'config.pbtxt': 'max_batch_size: 4' }],
    ['comes from Hugging Face', 'onnx/model.onnx', { 'config.json': '{"model_type": "bert"}' }],
  ] as const) {
    test(what, async () => {
      const model = await read({ [file]: '', ...others });
      assert.equal(model.file, path.normalize(file));
      assert.deepEqual(
        [model.name, model.versions.map(({ version }) => version)],
        ['iris', ['v3.0']],
      );
    });
  }
});

describe('the configuration', () => {
  const files = { 'model.onnx': '', 'model.json': '{"labels": ["a", "b"]}' };
  test('is the one in the folder', async () => {
    assert.deepEqual((await read(files)).config, { labels: ['a', 'b'] });
    assert.deepEqual((await read(files, null)).config, { labels: ['a', 'b'] });
  });
  test('is that of the registration, if it has one', async () => {
    assert.deepEqual((await read(files, { instances: 2 })).config, { instances: 2 });
  });
});

describe('an artifact is refused with a sentence', () => {
  for (const [what, files, config, message] of [
    ['without a model file', { 'README.md': '' }, null, /not a model\. It holds no model file/],
    ['that is empty', {}, null, /not a model\. It holds no model file/],
    [
      'with two versions',
      { '1/model.onnx': '', '2/model.onnx': '' },
      null,
      /several models or versions: iris\/1, iris\/2/,
    ],
    [
      'with two parts of a model',
      { 'config.json': '{}', 'onnx/encoder_model.onnx': '', 'onnx/decoder_model.onnx': '' },
      null,
      /several models or versions/,
    ],
    ['with two model files', { 'a.onnx': '', 'b.onnx': '' }, null, /not a model\. .*a\.onnx/],
    [
      'with an unknown key',
      { 'model.onnx': '' },
      { lables: [] },
      /configuration of 'iris' is wrong: it has the unknown key 'lables'/,
    ],
    [
      'with a model.json that is not JSON',
      { 'model.onnx': '', 'model.json': '{' },
      null,
      /model\.json of 'iris'/,
    ],
    [
      'with an option that names a file of the server',
      { 'model.onnx': '', 'model.json': '{"provider_options": {"trt_engine_cache_path": "/x"}}' },
      null,
      /provider option trt_engine_cache_path, which a client may not set/,
    ],
    [
      'with such an option in its registration',
      { 'model.onnx': '' },
      { provider_options: { trt_engine_cache_path: '/x' } },
      /provider option trt_engine_cache_path, which a client may not set/,
    ],
  ] as const) {
    test(what, () =>
      assert.rejects(read(files as Files, config), { code: 'INVALID_CONFIG', message }),
    );
  }
});
