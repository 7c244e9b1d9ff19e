/** @module Which changes of files a poll notices: those that external data of a model may be in, and no others. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fingerprint, Repository } from '../../../runtime/repository/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';

/** The fingerprint of each model by its name. */
async function fingerprints(root: string): Promise<ReadonlyMap<string, string>> {
  const { models } = await (await Repository.open(root)).scan();
  const entries = models.map(async (model) => [model.name, await fingerprint(model)] as const);
  return new Map(await Promise.all(entries));
}

/** The models that a poll loads again when the file, which is made or gets longer, has changed. */
async function changedBy(file: string, files: Files): Promise<readonly string[]> {
  using folder = temporaryFiles(files);
  const before = await fingerprints(folder.path);
  assert.deepEqual(await fingerprints(folder.path), before);
  const target = path.join(folder.path, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, 'changed', { flag: 'a' });
  const after = await fingerprints(folder.path);
  return [...after.keys()].filter((name) => after.get(name) !== before.get(name));
}

/** A repository with a model in each layout. */
const ALL: Files = {
  'versions/1/model.onnx': '',
  'versions/2/model.onnx': '',
  'folder/model.onnx': '',
  'triton/config.pbtxt': '',
  'triton/1/model.onnx/model.onnx': '',
  'face/config.json': '{}',
  'face/onnx/model.onnx': '',
  'parts/config.json': '{}',
  'parts/onnx/encoder_model.onnx': '',
  'parts/onnx/decoder_model.onnx': '',
  'text/config.json': '{}',
  'text/tokenizer.json': '{}',
  'text/modules.json': '[]',
  'text/1_Pooling/config.json': '{}',
  'text/onnx/model.onnx': '',
  'shared/tokenizer.json': '{}',
  'shared/1/model.onnx': '',
  'loose.onnx': '',
  'other.onnx': '',
  'weights/w.bin': '',
};

describe('a change is noticed by the models whose external data it may be', () => {
  for (const [file, models] of [
    ['versions/1/model.onnx', ['versions']],
    ['versions/1/w.bin', ['versions']],
    ['versions/1/w.onnx', ['versions']],
    ['versions/1/a/b/c/d/w.bin', ['versions']],
    ['versions/1/a/b/c/d/e/w.bin', []],
    ['versions/README.md', []],
    ['folder/w.bin', ['folder']],
    ['folder/weights/w.bin', ['folder']],
    ['folder/.git/index', []],
    ['triton/1/model.onnx/weights/w.bin', ['triton']],
    ['face/onnx/weights/w.bin', ['face']],
    ['face/onnx/1/2/w.bin', ['face']],
    ['face/README.md', []],
    ['parts/onnx/encoder_model.onnx', ['parts.encoder_model']],
    ['parts/onnx/w.bin', ['parts.decoder_model', 'parts.encoder_model']],
    ['text/tokenizer.json', ['text']],
    ['text/generation_config.json', ['text']],
    ['text/1_Pooling/config.json', ['text']],
    ['text/2_Dense/model.safetensors', ['text']],
    ['text/README.md', []],
    ['text/pytorch_model.bin', []],
    ['shared/tokenizer.json', ['shared']],
    ['loose.onnx', ['loose']],
    ['w.bin', ['loose', 'other']],
    ['weights/w.bin', ['loose', 'other']],
  ] as const) {
    test(file, async () => {
      assert.deepEqual(await changedBy(file, ALL), models);
    });
  }
});

test('a model without a usable config.pbtxt has no files, whatever the working directory holds', async () => {
  using repository = temporaryFiles({ 'm/config.pbtxt': 'wrong', 'm/1/model.onnx': '' });
  using elsewhere = temporaryFiles({});
  const home = process.cwd();
  process.chdir(elsewhere.path);
  try {
    const before = await fingerprints(repository.path);
    writeFileSync(path.join(elsewhere.path, 'server.log'), 'a line');
    assert.deepEqual(await fingerprints(repository.path), before);
  } finally {
    process.chdir(home);
  }
});

test('of very many files those nearest to the model are looked at, up to a limit', async () => {
  const files = ['a/1', 'a/2', 'b/1', 'b/2', 'z'].map((file) => [`m/1/${file}.bin`, ''] as const);
  using folder = temporaryFiles({ 'm/1/model.onnx': '', ...Object.fromEntries(files) });
  const { models } = await (await Repository.open(folder.path)).scan();
  // The model file, the two folders and the last file count too.
  const text = await fingerprint(models[0]!, 7);
  assert.deepEqual(text.match(/[abz/12]+\.bin/g), ['z.bin', 'a/1.bin', 'a/2.bin', 'b/1.bin']);
});
