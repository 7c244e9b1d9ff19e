/** @module Models of texts in every layout: of optimum, transformers.js and sentence-transformers, and with versions. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { Repository, readArtifact } from '../../../runtime/repository/index.ts';
import { type LoadSettings, versionSource } from '../../../runtime/version-source.ts';
import { temporaryFiles } from '../../support/files.ts';
import { asText, classifierFolder, type FolderFiles, sourceOf } from '../../support/text-folder.ts';

const SETTINGS: LoadSettings = { device: 'cpu', engineCache: '', batchSize: undefined };

/** The models of a repository, each with what is loaded for its versions, by paths within the repository. */
async function scan(files: FolderFiles) {
  using folder = temporaryFiles(asText(files));
  const { models, skipped } = await (await Repository.open(folder.path)).scan();
  const inside = (file: string | undefined) => file && path.relative(folder.path, file);
  const versions = [];
  for (const model of models) {
    for (const version of model.versions) {
      const source = await versionSource(model, version, SETTINGS);
      versions.push({
        name: `${model.name}:${version.version}`,
        file: inside(source.path),
        task: source.text?.task,
        tokenizer: inside(source.text?.tokenizer?.path),
        notes: source.settings.notes,
        generator: source.generator && {
          encoder: inside(source.generator.encoder),
          decoder: inside(source.generator.decoder),
          decoderWithPast: inside(source.generator.decoderWithPast),
        },
      });
    }
  }
  return { versions, skipped: skipped.map(({ name, reason }) => `${name}: ${reason}`) };
}

const inFolder = (name: string, files: FolderFiles): FolderFiles =>
  Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}/${file}`, content]));

const { 'onnx/model.onnx': _, ...classifier } = classifierFolder;

describe('an encoder', () => {
  for (const [what, files, name, file, tokenizer] of [
    [
      'of transformers.js',
      inFolder('m', classifierFolder),
      'm:1',
      'm/onnx/model.onnx',
      'm/tokenizer.json',
    ],
    [
      'of optimum',
      inFolder('m', { ...classifier, 'model.onnx': '' }),
      'm:1',
      'm/model.onnx',
      'm/tokenizer.json',
    ],
    [
      'of sentence-transformers',
      inFolder('m', {
        ...classifierFolder,
        'config.json': { architectures: ['BertModel'], vocab_size: 9 },
        'modules.json': [{ path: '', type: 'sentence_transformers.models.Transformer' }],
      }),
      'm:1',
      'm/onnx/model.onnx',
      'm/tokenizer.json',
    ],
    [
      'that is a version',
      inFolder('m/v1.0', classifierFolder),
      'm:v1.0',
      'm/v1.0/onnx/model.onnx',
      'm/v1.0/tokenizer.json',
    ],
    [
      'in a folder of its version beside its files',
      inFolder('m', { ...classifier, 'v1.0/model.onnx': '' }),
      'm:v1.0',
      'm/v1.0/model.onnx',
      'm/tokenizer.json',
    ],
    [
      'with its files in the folder of its version',
      inFolder('m/v1.0', { ...classifier, 'model.onnx': '' }),
      'm:v1.0',
      'm/v1.0/model.onnx',
      'm/v1.0/tokenizer.json',
    ],
    [
      'of our layout with a task in model.json',
      {
        'm/model.json': { task: 'text-classification', labels: ['no', 'yes'] },
        'm/tokenizer.json': '{}',
        'm/v1.0/model.onnx': '',
      },
      'm:v1.0',
      'm/v1.0/model.onnx',
      'm/tokenizer.json',
    ],
  ] as const) {
    test(what, async () => {
      const { versions, skipped } = await scan(files);
      assert.equal(versions.length, 1);
      const [version] = versions;
      assert.deepEqual([version!.name, version!.file, version!.tokenizer], [name, file, tokenizer]);
      assert.ok(version!.task !== undefined);
      assert.deepEqual(skipped, []);
    });
  }

  test('is served for /v2 only without a task', async () => {
    const { versions } = await scan({
      'm/config.json': { architectures: ['BertForMaskedLM'], vocab_size: 9 },
      'm/tokenizer.json': '{}',
      'm/model.onnx': '',
    });
    assert.deepEqual([versions[0]!.name, versions[0]!.task], ['m:1', undefined]);
  });

  test('may have versions of different tasks and tokenizers', async () => {
    const { versions } = await scan({
      ...inFolder('m/1', classifierFolder),
      ...inFolder('m/2', {
        ...classifierFolder,
        'config.json': { architectures: ['BertForTokenClassification'] },
      }),
    });
    assert.deepEqual(
      versions.map(({ task, tokenizer }) => [task, tokenizer]),
      [
        ['text-classification', 'm/1/tokenizer.json'],
        ['token-classification', 'm/2/tokenizer.json'],
      ],
    );
  });

  test('whose config.json cannot be read fails, but not beside folders of versions', async () => {
    const broken = { 'm/config.json': '{', 'm/tokenizer.json': '{}' };
    await assert.rejects(scan({ ...broken, 'm/onnx/model.onnx': '' }), ServeError);
    const { versions } = await scan({ ...broken, 'm/1/model.onnx': '' });
    assert.equal(versions[0]!.task, undefined);
    assert.match(versions[0]!.notes[0]!, /config\.json of 'm' is not valid JSON/);
  });
});

describe('a model that generates text', () => {
  const t5 = {
    'config.json': { architectures: ['T5ForConditionalGeneration'], model_type: 't5' },
    'tokenizer.json': '{}',
  };
  const gpt2 = { 'config.json': { architectures: ['GPT2LMHeadModel'] }, 'tokenizer.json': '{}' };
  const graphs = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [`onnx/${name}.onnx`, '']));

  for (const [what, files, generator] of [
    [
      'has a merged decoder',
      { ...t5, ...graphs('encoder_model', 'decoder_model_merged') },
      { encoder: 'encoder_model', decoder: 'decoder_model_merged', decoderWithPast: undefined },
    ],
    [
      'has two decoders',
      { ...t5, ...graphs('encoder_model', 'decoder_model', 'decoder_with_past_model') },
      {
        encoder: 'encoder_model',
        decoder: 'decoder_model',
        decoderWithPast: 'decoder_with_past_model',
      },
    ],
    [
      'has all of them, and the merged one is used',
      {
        ...t5,
        ...graphs(
          'encoder_model',
          'decoder_model',
          'decoder_with_past_model',
          'decoder_model_merged',
        ),
      },
      { encoder: 'encoder_model', decoder: 'decoder_model_merged', decoderWithPast: undefined },
    ],
    [
      'is a decoder only',
      { ...gpt2, ...graphs('model') },
      { encoder: undefined, decoder: 'model', decoderWithPast: undefined },
    ],
    [
      'is a merged decoder only',
      { ...gpt2, ...graphs('decoder_model_merged') },
      { encoder: undefined, decoder: 'decoder_model_merged', decoderWithPast: undefined },
    ],
    [
      'is two decoders',
      { ...gpt2, ...graphs('decoder_model', 'decoder_with_past_model') },
      { encoder: undefined, decoder: 'decoder_model', decoderWithPast: 'decoder_with_past_model' },
    ],
  ] as const) {
    test(`${what}, and is one model`, async () => {
      for (const [folder, name] of [
        ['m', 'm:1'],
        ['m/v1.0', 'm:v1.0'],
      ] as const) {
        const { versions, skipped } = await scan(inFolder(folder, files));
        const place = (part: string | undefined) => part && `${folder}/onnx/${part}.onnx`;
        assert.deepEqual(
          versions.map((version) => version.name),
          [name],
        );
        assert.deepEqual(versions[0]!.generator, {
          encoder: place(generator.encoder),
          decoder: place(generator.decoder),
          decoderWithPast: place(generator.decoderWithPast),
        });
        assert.deepEqual(skipped, []);
      }
    });
  }

  test('without a tokenizer is a model for each of its parts, with what to do', async () => {
    const { 'tokenizer.json': _, ...files } = t5;
    const { versions } = await scan(
      inFolder('m', { ...files, ...graphs('encoder_model', 'decoder_model_merged') }),
    );
    assert.deepEqual(
      versions.map(({ name, generator }) => [name, generator]),
      [
        ['m.decoder_model_merged:1', undefined],
        ['m.encoder_model:1', undefined],
      ],
    );
    for (const { notes } of versions) assert.match(notes[0]!, /There is no tokenizer\.json/);
  });

  test('without all of its parts is a model for each of them', async () => {
    const files = { ...t5, ...graphs('encoder_model', 'decoder_model') };
    const { versions } = await scan(inFolder('m', files));
    assert.equal(versions.length, 2);
  });

  test('of sound stays divided', async () => {
    const { versions } = await scan(
      inFolder('m', {
        ...t5,
        'preprocessor_config.json': '{}',
        ...graphs('encoder_model', 'decoder_model_merged'),
      }),
    );
    assert.equal(versions.length, 2);
  });

  test('is told by model.json if config.json does not say so', async () => {
    const files = {
      'config.json': {},
      'tokenizer.json': '{}',
      'model.json': { task: 'text2text-generation' },
      ...graphs('encoder_model', 'decoder_model_merged'),
    };
    const { versions } = await scan(inFolder('m', files));
    assert.deepEqual(
      versions.map(({ name }) => name),
      ['m:1'],
    );
  });

  test('has the parts of the precision that model.json asks for', async () => {
    const parts = ['encoder_model', 'decoder_model_merged'];
    const files = {
      ...t5,
      ...graphs(...parts, ...parts.map((part) => `${part}_quantized`), 'encoder_model_fp16'),
    };
    const { generator } = await sourceOf({ ...files, 'model.json': { dtype: 'q8' } });
    assert.match(generator!.encoder!, /encoder_model_quantized\.onnx$/);
    assert.match(generator!.decoder, /decoder_model_merged_quantized\.onnx$/);
    await assert.rejects(sourceOf({ ...files, 'model.json': { dtype: 'fp16' } }), {
      message: /asks for dtype fp16, but there are only decoder_model_merged\.onnx/,
    });
  });
});

describe('dtype', () => {
  const all = [
    'model',
    'model_fp16',
    'model_int8',
    'model_uint8',
    'model_quantized',
    'model_q4',
    'model_q4f16',
    'model_bnb4',
  ];
  const choose = async (
    dtype: string | undefined,
    device = 'cpu',
    names: readonly string[] = all,
    files: FolderFiles = classifier,
  ) => {
    const variants = Object.fromEntries(names.map((name) => [`onnx/${name}.onnx`, '']));
    const config = dtype === undefined ? {} : { 'model.json': { dtype } };
    const source = await sourceOf({ ...files, ...variants, ...config }, { device });
    return { file: path.basename(source.path, '.onnx'), notes: source.settings.notes };
  };

  for (const [dtype, file] of [
    ['fp32', 'model'],
    ['fp16', 'model_fp16'],
    ['int8', 'model_int8'],
    ['uint8', 'model_uint8'],
    ['q8', 'model_quantized'],
    ['quantized', 'model_quantized'],
    ['q4', 'model_q4'],
    ['q4f16', 'model_q4f16'],
    ['bnb4', 'model_bnb4'],
    ['auto', 'model'],
  ] as const) {
    test(`${dtype} is ${file}.onnx, and the notes name the others`, async () => {
      const { file: chosen, notes } = await choose(dtype);
      assert.equal(chosen, file);
      for (const other of all) {
        assert.ok(notes[0]!.includes(`${other}.onnx`), notes[0]!);
      }
      assert.match(
        notes[0]!,
        new RegExp(`^It runs ${file}\\.onnx; .* are there and not used: "dtype"`),
      );
    });
  }

  test('auto is the best that the device runs fast, and without any the most exact one', async () => {
    assert.equal((await choose(undefined, 'cuda:0')).file, 'model_fp16');
    assert.equal((await choose('auto', 'tensorrt')).file, 'model_fp16');
    assert.equal((await choose(undefined, 'cpu')).file, 'model');
    assert.equal((await choose(undefined, 'auto')).file, 'model');
    const quantized = ['model_q4', 'model_int8'];
    assert.equal((await choose(undefined, 'cpu', quantized)).file, 'model_int8');
    assert.equal((await choose(undefined, 'cuda', quantized)).file, 'model_int8');
    const halves = ['model_fp16', 'model_quantized', 'model_q4'];
    assert.equal((await choose(undefined, 'cpu', halves)).file, 'model_quantized');
    assert.equal((await choose(undefined, 'cuda', halves)).file, 'model_fp16');
    assert.equal((await choose(undefined, 'cpu', ['model_q4', 'model_fp16'])).file, 'model_fp16');
  });

  test('a single file needs no note', async () => {
    assert.deepEqual(await choose(undefined, 'cpu', ['model']), { file: 'model', notes: [] });
  });

  test('of a model that is for neither texts nor images counts if it is asked for', async () => {
    const speech = { 'config.json': { architectures: ['Wav2Vec2ForCTC'] } };
    assert.equal((await choose('int8', 'cpu', all, speech)).file, 'model_int8');
    assert.equal((await choose(undefined, 'cuda', all, speech)).file, 'model');
  });

  test('that is not there is an error that names what is', async () => {
    await assert.rejects(choose('int8', 'cpu', ['model', 'model_fp16']), {
      code: 'INVALID_CONFIG',
      message:
        'model.json asks for dtype int8, but there are only model.onnx, model_fp16.onnx; write the dtype of one of them, or auto.',
    });
  });
});

describe('an artifact', () => {
  for (const [what, files, task] of [
    ['of an encoder', classifierFolder, 'text-classification'],
    [
      'of an encoder and a decoder',
      {
        'config.json': { architectures: ['MarianMTModel'] },
        'tokenizer.json': '{}',
        'onnx/encoder_model.onnx': '',
        'onnx/decoder_model_merged.onnx': '',
      },
      'text2text-generation',
    ],
  ] as const) {
    test(`${what} is one version, with a configuration of its own`, async () => {
      using folder = temporaryFiles(asText(files));
      const about = { model: 'm', version: 'v3', folder: folder.path, config: { instances: 2 } };
      const model = await readArtifact(about);
      const source = await versionSource(model, model.versions[0]!, SETTINGS);
      assert.deepEqual([source.model, source.version, source.text?.task], ['m', 'v3', task]);
      assert.equal(source.text!.obstacle, undefined);
      assert.deepEqual(source.config, { instances: 2 });
    });
  }

  test('has the task of its registration', async () => {
    using folder = temporaryFiles(asText(classifierFolder));
    const config = { task: 'rerank' };
    const model = await readArtifact({ model: 'm', version: 'v3', folder: folder.path, config });
    const source = await versionSource(model, model.versions[0]!, SETTINGS);
    assert.equal(source.text?.task, 'rerank');
  });
});

test('MODEL_PATH may be the folder of one model that generates text', async () => {
  using folder = temporaryFiles({
    'summarizer/config.json': '{"architectures":["BartForConditionalGeneration"]}',
    'summarizer/tokenizer.json': '{}',
    'summarizer/onnx/encoder_model.onnx': '',
    'summarizer/onnx/decoder_model_merged.onnx': '',
  });
  const { models } = await (await Repository.open(path.join(folder.path, 'summarizer'))).scan();
  assert.deepEqual(
    models.map(({ name }) => name),
    ['summarizer'],
  );
});
