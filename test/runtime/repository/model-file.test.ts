/** @module Which file of a folder is the model, in every layout. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Repository } from '../../../runtime/repository/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';

/** The model files that are served, their notes, and the reasons for skipped entries. */
async function scan(files: Files) {
  using folder = temporaryFiles(files);
  const { models, skipped } = await (await Repository.open(folder.path)).scan();
  const versions = models.flatMap((model) =>
    model.versions.map(
      ({ path: file, notes }) => [path.relative(folder.path, file), notes] as const,
    ),
  );
  return {
    files: versions.map(([file]) => file),
    notes: versions.flatMap(([, notes]) => notes),
    skipped: Object.fromEntries(skipped.map(({ name, reason }) => [name, reason])),
    models,
  };
}

const served = (files: readonly string[], folder: string) =>
  scan(Object.fromEntries(files.map((file) => [`${folder}/${file}`, ''])));

describe('in the folder of a version', () => {
  for (const [name, files, chosen, notes] of [
    [
      'model.onnx is the model, whatever else is there',
      ['model.onnx', 'best.onnx', 'a.bin'],
      'model.onnx',
      [],
    ],
    [
      'the only file is the model, under any name',
      ['best.onnx', 'best.onnx.data'],
      'best.onnx',
      [/model file is best\.onnx, because there is no model\.onnx$/],
    ],
    [
      'the most exact of several precisions is the model',
      ['best_int8.onnx', 'best_fp16.onnx', 'best.onnx'],
      'best.onnx',
      [/best\.onnx, .*more exact than best_fp16\.onnx, best_int8\.onnx/],
    ],
  ] as const) {
    test(name, async () => {
      const found = await served(files, 'm/1');
      assert.deepEqual(found.files, [`m/1/${chosen}`]);
      assert.equal(found.notes.length, notes.length);
      for (const [i, note] of notes.entries()) assert.match(found.notes[i]!, note);
      assert.deepEqual(found.skipped, {});
    });
  }

  test('a choice between two models is refused with a reason', async () => {
    const found = await served(['a.onnx', 'b.onnx'], 'm/1');
    assert.deepEqual(found.files, []);
    assert.match(found.skipped['m/1']!, /several models \(a\.onnx, b\.onnx\).*rename/);
  });

  test('a folder named model.onnx may hold the file, as in Triton', async () => {
    const found = await scan({ 'm/1/model.onnx/model.onnx': '', 'm/1/model.onnx/weights.bin': '' });
    assert.deepEqual(found.files, ['m/1/model.onnx/model.onnx']);
    assert.equal(found.models[0]!.versions[0]!.version, '1');
  });

  test('default_model_filename names the only file that can be the model', async () => {
    const named = { 'm/config.pbtxt': 'default_model_filename: "net.onnx"' };
    assert.deepEqual((await scan({ ...named, 'm/1/net.onnx': '', 'm/1/model.onnx': '' })).files, [
      'm/1/net.onnx',
    ]);
    const missing = await scan({ ...named, 'm/1/model.onnx': '' });
    assert.deepEqual(missing.files, []);
    assert.match(missing.skipped['m/1']!, /expected net\.onnx/);
  });

  test('the only file is the model if config.pbtxt has no default_model_filename', async () => {
    assert.deepEqual((await scan({ 'm/config.pbtxt': '', 'm/1/best.onnx': '' })).files, [
      'm/1/best.onnx',
    ]);
  });
});

describe('in a folder without versions', () => {
  for (const config of ['model.json', 'config.pbtxt', undefined]) {
    test(`model.onnx is version 1 beside ${config ?? 'no configuration'}`, async () => {
      const text = config === 'model.json' ? '{"default": true}' : 'max_batch_size: 3';
      const found = await scan({
        'm/model.onnx': '',
        ...(config ? { [`m/${config}`]: text } : {}),
      });
      assert.deepEqual(found.files, ['m/model.onnx']);
      const [model] = found.models;
      assert.equal(model!.versions[0]!.version, '1');
      const wanted = {
        'model.json': { default: true },
        'config.pbtxt': { batching: { maxRows: 3 } },
      };
      assert.deepEqual(model!.config, config === undefined ? {} : wanted[config as 'model.json']);
    });
  }

  test('folders of versions have priority over model.onnx', async () => {
    const found = await scan({ 'm/model.onnx': '', 'm/2/model.onnx': '', 'm/model.json': '{}' });
    assert.deepEqual(found.files, ['m/2/model.onnx']);
    assert.match(found.skipped['m/model.onnx']!, /folders of versions/);
  });

  test('folders without a model file are ignored', async () => {
    const found = await scan({ 'm/model.onnx': '', 'm/assets/x.txt': '', 'm/model.json': '{}' });
    assert.deepEqual(found.files, ['m/model.onnx']);
  });
});

describe('at the top of the repository', () => {
  const json = '{"default": true}';

  test('model.json is the configuration of model.onnx, or of the only file', async () => {
    for (const [files, name] of [
      [['model.onnx'], 'model'],
      [['model.onnx', 'other.onnx'], 'model'],
      [['best.onnx'], 'best'],
    ] as const) {
      const bare = Object.fromEntries(files.map((file) => [file, '']));
      using folder = temporaryFiles({ 'model.json': json, ...bare });
      const repository = await Repository.open(folder.path);
      const { models, skipped } = await repository.scan();
      assert.deepEqual(skipped, []);
      for (const model of models) {
        assert.deepEqual(model.config, model.name === name ? { default: true } : {});
      }
      assert.deepEqual((await repository.find(name))!.config, { default: true });
    }
  });

  test('model.json that cannot be used fails its model', async () => {
    const { models } = await scan({ 'model.json': '{"default_version": "7"}', 'model.onnx': '' });
    assert.match(String(models[0]!.config), /default_version names version '7'/);
  });

  test('a configuration of no model is skipped, with the place where it belongs', async () => {
    for (const [config, files] of [
      ['model.json', { 'a.onnx': '', 'b.onnx': '' }],
      ['model.json', { '1/model.onnx': '' }],
      ['config.pbtxt', { '1/model.onnx': '' }],
      ['config.json', { '1/model.onnx': '' }],
    ] as const) {
      const found = await scan({ ...files, [config]: '{}' });
      assert.equal(found.files.length, Object.keys(files).length);
      assert.match(found.skipped[config]!, new RegExp(`folder of a model.*<model>/${config}`));
    }
  });
});

describe('a path of one model instead of a repository', () => {
  const open = async (files: Files, given: string) => {
    using folder = temporaryFiles(files);
    const { models, skipped } = await (await Repository.open(path.join(folder.path, given))).scan();
    return { names: models.map(({ name }) => name), config: models[0]?.config, skipped };
  };

  test('an .onnx file is served alone, with model.json beside it', async () => {
    const files = { 'a.onnx': '', 'b.onnx': '', 'c/1/model.onnx': '' };
    const { names, config, skipped } = await open(
      { ...files, 'model.json': '{"default": true}' },
      'a.onnx',
    );
    assert.deepEqual([names, config, skipped], [['a'], { default: true }, []]);
  });

  test('a folder from Hugging Face is a model and not a repository', async () => {
    const files = { 'bert/config.json': '{}', 'bert/onnx/model.onnx': '', 'other.onnx': '' };
    assert.deepEqual((await open(files, 'bert')).names, ['bert']);
    const flat = { 'bert/config.json': '{}', 'bert/model.onnx': '' };
    assert.deepEqual((await open(flat, 'bert')).names, ['bert']);
  });

  test('a file that is not there is refused', async () => {
    await assert.rejects(open({}, 'a.onnx'), { code: 'INVALID_CONFIG' });
  });
});

describe('a configuration in the folder of a version has no effect, and is skipped with its place', () => {
  for (const config of ['model.json', 'config.pbtxt']) {
    for (const [beside, files, folder] of [
      ['nothing', {}, 'm/1'],
      ['config.pbtxt', { 'm/config.pbtxt': '' }, 'm/1'],
      ['config.json', { 'm/config.json': '{}' }, 'm/onnx'],
    ] as const) {
      test(`${config}, with ${beside} in the folder of the model`, async () => {
        const found = await scan({
          ...files,
          [`${folder}/model.onnx`]: '',
          [`${folder}/${config}`]: '{"default": true}',
        });
        assert.deepEqual(found.files, [`${folder}/model.onnx`]);
        const { [`${folder}/${config}`]: reason, ...rest } = found.skipped;
        assert.deepEqual(rest, {});
        assert.match(reason!, /no effect here: the configuration of a model lies in m\/$/);
      });
    }
  }
});

describe('in a folder of Hugging Face', () => {
  const face = (...files: string[]) =>
    scan({ 'm/config.json': '{}', ...Object.fromEntries(files.map((file) => [`m/${file}`, ''])) });

  test('the most exact of several precisions is the model', async () => {
    const files = ['model_bnb4', 'model_q4f16', 'model_q4', 'model_uint8', 'model_int8'];
    const byExactness = ['model_quantized', 'model_fp16', 'model_optimized', 'model_O2', 'model'];
    const present = files.map((file) => `onnx/${file}.onnx`);
    for (const file of byExactness) {
      present.push(`onnx/${file}.onnx`);
      const found = await face(...present);
      assert.deepEqual(found.files, [`m/onnx/${file}.onnx`]);
      assert.equal(found.models[0]!.name, 'm');
      assert.equal(found.notes.length, file === 'model' ? 0 : 1);
    }
  });

  for (const file of ['model_quantized', 'model_qint8_avx512_vnni', 'model_O4', 'bert']) {
    test(`${file}.onnx is the model if it is the only file`, async () => {
      for (const folder of ['onnx/', '']) {
        const found = await face(`${folder}${file}.onnx`);
        assert.deepEqual(found.files, [`m/${folder}${file}.onnx`]);
        assert.match(found.notes[0]!, /because there is no model\.onnx/);
      }
    });
  }

  test('each part is a model, in its most exact precision', async () => {
    const found = await face(
      'onnx/encoder_model_quantized.onnx',
      'onnx/encoder_model_fp16.onnx',
      'onnx/decoder_model_merged_quantized.onnx',
    );
    assert.deepEqual(
      found.models.map(({ name }) => name),
      ['m.decoder_model_merged', 'm.encoder_model'],
    );
    assert.deepEqual(found.files, [
      'm/onnx/decoder_model_merged_quantized.onnx',
      'm/onnx/encoder_model_fp16.onnx',
    ]);
  });

  test('model.onnx is found beside a folder onnx without models', async () => {
    assert.deepEqual((await face('onnx/.keep', 'model.onnx')).files, ['m/model.onnx']);
  });

  test('several models that are not parts are skipped with a reason that names them', async () => {
    const found = await face('onnx/a.onnx', 'onnx/b.onnx');
    assert.deepEqual(found.files, []);
    assert.match(found.skipped.m!, /several models \(a\.onnx, b\.onnx\)/);
  });

  test('a folder without a model file is skipped with a reason', async () => {
    assert.match((await face('pytorch_model.bin')).skipped.m!, /holds no model file/);
  });

  test('model.json has an effect', async () => {
    const found = await scan({
      'm/config.json': '{"id2label": {"0": "no", "1": "yes"}}',
      'm/model.json': '{"task": "classification", "labels": ["bad", "good"]}',
      'm/onnx/model.onnx': '',
    });
    const [model] = found.models;
    assert.deepEqual(model!.config, { task: 'classification', labels: ['bad', 'good'] });
    assert.deepEqual(model!.settings.labels, { logits: ['no', 'yes'] });
  });
});

test('model.json beside config.pbtxt has no effect, which is noted', async () => {
  const found = await scan({ 'm/config.pbtxt': '', 'm/model.json': '{}', 'm/1/model.onnx': '' });
  assert.match(found.models[0]!.settings.notes[0]!, /model\.json has no effect/);
});
