/** @module What is read of folders with models of images, in every layout. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readArtifact } from '../../../runtime/repository/artifact.ts';
import { versionSource } from '../../../runtime/version-source.ts';
import { temporaryFiles } from '../../support/files.ts';
import { asText, type FolderFiles, sourceOf } from '../../support/text-folder.ts';

const CONFIG = {
  architectures: ['ViTForImageClassification'],
  model_type: 'vit',
  id2label: { 0: 'cat', 1: 'dog' },
};
const PREPROCESSOR = {
  image_processor_type: 'ViTImageProcessor',
  size: { height: 32, width: 48 },
  resample: 3,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.25, 0.25, 0.25],
};

const LAYOUTS: Readonly<Record<string, FolderFiles>> = {
  'a folder from Hugging Face': {
    'config.json': CONFIG,
    'preprocessor_config.json': PREPROCESSOR,
    'onnx/model.onnx': '',
  },
  'a version with the layout of Hugging Face': {
    'v1/config.json': CONFIG,
    'v1/preprocessor_config.json': PREPROCESSOR,
    'v1/onnx/model.onnx': '',
  },
  'versions that share the files beside them': {
    'config.json': CONFIG,
    'preprocessor_config.json': PREPROCESSOR,
    '1/model.onnx': '',
  },
  'a model.json beside the description': {
    'model.json': { task: 'image-classification', labels: ['cat', 'dog'] },
    'preprocessor_config.json': PREPROCESSOR,
    'model.onnx': '',
  },
  'a model.json beside a version': {
    'model.json': { task: 'image-classification', labels: ['cat', 'dog'] },
    'preprocessor_config.json': PREPROCESSOR,
    'v1/model.onnx': '',
  },
};

describe('a model of images is described by', () => {
  for (const [name, files] of Object.entries(LAYOUTS)) {
    test(name, async () => {
      const { image } = await sourceOf(files);
      assert.equal(image?.task, 'image-classification');
      assert.deepEqual(image.labels, ['cat', 'dog']);
      const { resize, filter, mean } = image.preprocessing!;
      assert.deepEqual(resize, { kind: 'exact', width: 48, height: 32 });
      assert.equal(filter, 'bicubic');
      assert.deepEqual(mean, [0.5, 0.5, 0.5]);
    });
  }

  test('its registration', async () => {
    using folder = temporaryFiles(asText(LAYOUTS['a folder from Hugging Face']!));
    const config = { labels: ['tom', 'rex'], threshold: 0.25 };
    const model = await readArtifact({ model: 'm', version: 'v3', folder: folder.path, config });
    const settings = { device: 'cpu', engineCache: '', batchSize: undefined };
    const { image } = await versionSource(model, model.versions[0]!, settings);
    assert.deepEqual(image?.labels, ['tom', 'rex']);
  });
});

describe('the precision of a model of images', () => {
  const files: FolderFiles = {
    ...LAYOUTS['a folder from Hugging Face']!,
    'onnx/model_fp16.onnx': '',
    'onnx/model_quantized.onnx': '',
  };
  const runs = async (device: string, more: FolderFiles = {}) => {
    const { path, settings } = await sourceOf({ ...files, ...more }, { device });
    return [path.split('/').at(-1), settings.notes.join()] as const;
  };

  test('is what the device runs fast, and the others are named', async () => {
    const [file, notes] = await runs('cpu');
    assert.equal(file, 'model.onnx');
    assert.match(notes, /model_fp16\.onnx, model_quantized\.onnx are there and not used/);
    assert.equal((await runs('cuda'))[0], 'model_fp16.onnx');
  });

  test('is that of model.json', async () => {
    const [file] = await runs('cpu', { 'model.json': { dtype: 'quantized' } });
    assert.equal(file, 'model_quantized.onnx');
    const wrong = runs('cpu', { 'model.json': { dtype: 'q4' } });
    await assert.rejects(wrong, { code: 'INVALID_CONFIG', message: /dtype q4.*model_fp16/ });
  });
});
