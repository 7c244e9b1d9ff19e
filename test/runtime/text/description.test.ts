/** @module What the files of a folder from Hugging Face say about text. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lengthBuckets } from '../../../runtime/text/axes.ts';
import { usablePositions } from '../../../runtime/text/window.ts';
import {
  classifierFolder,
  descriptionOf,
  type FolderFiles,
  sourceOf,
} from '../../support/text-folder.ts';

const config = classifierFolder['config.json'] as object;
const withConfig = (more: object): FolderFiles => ({
  ...classifierFolder,
  'config.json': { ...config, ...more },
});

describe('a classifier', () => {
  test('has the labels, the problem and the padding of config.json', async () => {
    const described = await descriptionOf(
      withConfig({ problem_type: 'multi_label_classification', pad_token_id: 3 }),
    );
    assert.equal(described.task, 'text-classification');
    assert.deepEqual(described.labels, ['NEGATIVE', 'POSITIVE']);
    assert.equal(described.problemType, 'multi_label_classification');
    assert.deepEqual(described.padding, { id: 3, token: '[PAD]' });
    assert.equal(described.obstacle, undefined);
    assert.deepEqual([described.embedding, described.generation], [undefined, undefined]);
  });

  test('has labels in the order of their numbers', async () => {
    const ten = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [10 - i, `l${10 - i}`]));
    const { labels } = await descriptionOf(withConfig({ id2label: ten }));
    assert.deepEqual(
      labels,
      Array.from({ length: 11 }, (_, i) => `l${i}`),
    );
  });

  test('may have null for everything', async () => {
    const described = await descriptionOf({
      ...withConfig({ id2label: null, problem_type: null, pad_token_id: null, model_type: null }),
      'tokenizer_config.json': { model_max_length: null, pad_token: null, truncation_side: null },
      'special_tokens_map.json': { pad_token: null },
      'sentence_bert_config.json': { max_seq_length: null },
    });
    assert.deepEqual(described.labels, undefined);
    assert.deepEqual(described.padding, { id: undefined, token: undefined });
    assert.equal(described.window, 512);
  });

  test('model.json chooses another task and problem', async () => {
    const described = await descriptionOf({
      ...classifierFolder,
      'model.json': { task: 'rerank', problem_type: 'regression' },
    });
    assert.deepEqual([described.task, described.problemType], ['rerank', 'regression']);
  });

  test('model.json may make it a model of rows', async () => {
    const { text } = await sourceOf({
      ...classifierFolder,
      'model.json': { task: 'classification' },
    });
    assert.equal(text, undefined);
  });
});

describe('the tokenizer', () => {
  test('is described by tokenizer_config.json', async () => {
    const { tokenizer } = await descriptionOf({
      ...classifierFolder,
      'tokenizer_config.json': {
        clean_up_tokenization_spaces: true,
        truncation_side: 'left',
        unk_token: { content: '<unk>' },
      },
      'sentence_bert_config.json': { do_lower_case: true },
    });
    const { path: file, ...rest } = tokenizer!;
    assert.match(file, /\/m\/tokenizer\.json$/);
    assert.deepEqual(rest, {
      cleanUpSpaces: true,
      truncationSide: 'left',
      unknownToken: '<unk>',
      lowersCase: true,
    });
  });

  test('has the tokens of special_tokens_map.json if tokenizer_config.json does not name them', async () => {
    const described = await descriptionOf({
      ...classifierFolder,
      'tokenizer_config.json': {},
      'special_tokens_map.json': { pad_token: '<pad>', unk_token: { content: '<unk>' } },
    });
    assert.equal(described.padding.token, '<pad>');
    assert.equal(described.tokenizer!.unknownToken, '<unk>');
  });

  test('is not needed to run the graph, and the description says how to make one', async () => {
    const { 'tokenizer.json': _, ...others } = classifierFolder;
    for (const [file, where] of [
      ['vocab.txt', ' beside vocab.txt'],
      ['README.md', ''],
    ] as const) {
      const described = await descriptionOf({ ...others, [file]: '' });
      assert.equal(described.tokenizer, undefined);
      assert.ok(described.obstacle!.startsWith(`There is no tokenizer.json${where}, so`));
      assert.match(described.obstacle!, /AutoTokenizer\.from_pretrained.*save_pretrained/);
    }
  });
});

describe('the window', () => {
  const folder = (config: object, tokenizer: object, sentence?: object): FolderFiles => ({
    ...withConfig(config),
    'tokenizer_config.json': tokenizer,
    ...(sentence === undefined ? {} : { 'sentence_bert_config.json': sentence }),
  });
  for (const [what, files, window] of [
    ['is the least of all', folder({}, { model_max_length: 256 }, { max_seq_length: 128 }), 128],
    ['is that of the tokenizer', folder({}, { model_max_length: 256 }), 256],
    ['is that of the positions', folder({}, { model_max_length: 1e30 }), 512],
    [
      'is 512 of the 514 positions of RoBERTa',
      folder(
        { model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1 },
        { model_max_length: 1e30 },
      ),
      512,
    ],
    [
      'is unknown without a limit',
      folder({ max_position_embeddings: undefined }, { model_max_length: 1e30 }),
      undefined,
    ],
    [
      'is that of the tokenizer for T5',
      folder({ model_type: 't5', n_positions: 512 }, { model_max_length: 700 }),
      700,
    ],
    ['is not limited by -1', folder({ max_position_embeddings: -1 }, {}), undefined],
  ] as const) {
    test(what, async () => assert.equal((await descriptionOf(files)).window, window));
  }

  test('positions begin after that of the padding in models of the kind of RoBERTa', () => {
    for (const model_type of ['roberta', 'xlm-roberta', 'mpnet', 'camembert', 'longformer']) {
      const positions = usablePositions({ model_type, max_position_embeddings: 514 }, 1, 'encoder');
      assert.equal(positions, 512, model_type);
    }
    for (const model_type of ['bert', 'bart', 'marian', 'gpt2', 'llama', 'deberta-v2']) {
      const positions = usablePositions({ model_type, max_position_embeddings: 514 }, 1, 'encoder');
      assert.equal(positions, 514, model_type);
    }
  });

  test('an encoder and a decoder may have positions of their own', () => {
    const led = {
      model_type: 'led',
      max_encoder_position_embeddings: 16_384,
      max_decoder_position_embeddings: 1024,
    };
    assert.equal(usablePositions(led, 1, 'encoder'), 16_384);
    assert.equal(usablePositions(led, 1, 'decoder'), 1024);
  });

  test('has buckets that double up to it', () => {
    assert.deepEqual(lengthBuckets(512), [16, 32, 64, 128, 256, 512]);
    assert.deepEqual(lengthBuckets(62), [16, 32, 62]);
    assert.deepEqual(lengthBuckets(16), [16]);
    assert.deepEqual(lengthBuckets(8), [8]);
  });
});

describe('the modules of sentence-transformers', () => {
  const type = (name: string) => `sentence_transformers.models.${name}`;
  const embedding = (modules: readonly object[] | undefined, files: FolderFiles = {}) =>
    descriptionOf({
      'config.json': { architectures: ['BertModel'], vocab_size: 30 },
      'tokenizer.json': '{}',
      'model.onnx': '',
      ...(modules === undefined ? {} : { 'modules.json': modules }),
      ...files,
    });
  const first = { path: '', type: type('Transformer') };
  const pool = { path: '1_Pooling', type: type('Pooling') };

  test('without any, vectors are the mean of those of the tokens, and normalised', async () => {
    const { embedding: head } = await embedding(undefined);
    assert.deepEqual(head, {
      pooling: ['mean'],
      poolsPrompt: true,
      dense: [],
      normalize: true,
      prompts: {},
      defaultPrompt: undefined,
      dimensions: undefined,
    });
  });

  for (const [what, file, pooling, dimensions] of [
    ['of the switches', { pooling_mode_cls_token: true, word_embedding_dimension: 8 }, ['cls'], 8],
    [
      'of several switches, one after the other',
      {
        pooling_mode_mean_tokens: true,
        pooling_mode_max_tokens: true,
        word_embedding_dimension: 8,
      },
      ['max', 'mean'],
      16,
    ],
    ['of the name', { pooling_mode: 'lasttoken', embedding_dimension: 8 }, ['last'], 8],
    ['of several names', { pooling_mode: ['mean', 'cls'] }, ['mean', 'cls'], undefined],
    ['of no switch that is on is the mean', { pooling_mode_cls_token: false }, ['mean'], undefined],
  ] as const) {
    test(`the pooling ${what}`, async () => {
      const { embedding: head } = await embedding([first, pool], { '1_Pooling/config.json': file });
      assert.deepEqual(head!.pooling, pooling);
      assert.equal(head!.dimensions, dimensions);
      assert.equal(head!.normalize, false, 'there is no module for it');
    });
  }

  test('Normalize and include_prompt', async () => {
    const { embedding: head } = await embedding(
      [first, pool, { path: '2_Normalize', type: type('Normalize') }],
      { '1_Pooling/config.json': { include_prompt: false } },
    );
    assert.deepEqual([head!.normalize, head!.poolsPrompt], [true, false]);
  });

  test('a module that is not known keeps texts from being read, and not the graph from being run', async () => {
    const { obstacle } = await embedding([first, { path: '', type: type('WordWeights') }]);
    assert.match(obstacle!, /^modules\.json has the module WordWeights, and only Transformer/);
    const clip = await embedding([{ path: '0', type: type('CLIPModel') }]);
    assert.match(clip.obstacle!, /has the module CLIPModel/);
  });

  test('a dense layer that is not known keeps texts from being read', async () => {
    const layer = { in_features: 2, out_features: 1 };
    for (const [more, reason] of [
      [{ activation_function: 'torch.nn.modules.activation.SELU' }, /activation SELU/],
      [{ use_residual: true }, /use_residual/],
      [{ module_input_name: 'token_embeddings' }, /is for token_embeddings/],
    ] as const) {
      const { obstacle } = await embedding(
        [first, pool, { path: '2_Dense', type: type('Dense') }],
        { '1_Pooling/config.json': {}, '2_Dense/config.json': { ...layer, ...more } },
      );
      assert.match(obstacle!, reason);
    }
  });

  test('prompts may be null, and one of them the default', async () => {
    const { embedding: head } = await embedding(undefined, {
      'config_sentence_transformers.json': {
        prompts: { query: 'q: ', document: null },
        default_prompt_name: 'query',
      },
    });
    assert.deepEqual(head!.prompts, { query: 'q: ', document: '' });
    assert.equal(head!.defaultPrompt, 'query');
  });
});

describe('how text is generated', () => {
  const generator = (files: FolderFiles): FolderFiles => ({
    'tokenizer.json': '{}',
    'onnx/encoder_model.onnx': '',
    'onnx/decoder_model_merged.onnx': '',
    'config.json': {
      architectures: ['T5ForConditionalGeneration'],
      model_type: 't5',
      eos_token_id: 1,
      pad_token_id: 0,
      decoder_start_token_id: 0,
      num_beams: 7,
      task_specific_params: {
        summarization: {
          prefix: 'summarize: ',
          num_beams: 4,
          max_length: 200,
          early_stopping: true,
        },
      },
    },
    ...files,
  });

  test('is what generation_config.json says, with special tokens of config.json', async () => {
    const { generation } = await descriptionOf(
      generator({
        'generation_config.json': {
          max_length: 40,
          top_k: 5,
          temperature: null,
          eos_token_id: [1, 2],
        },
      }),
    );
    assert.deepEqual(generation, {
      encoderDecoder: true,
      positions: undefined,
      text: {
        prefix: '',
        maxLength: 40,
        minLength: undefined,
        options: { topK: 5, eosTokenIds: [1, 2], padTokenId: 0, decoderStartTokenId: 0 },
      },
      summary: {
        prefix: 'summarize: ',
        maxLength: 200,
        minLength: undefined,
        options: {
          topK: 5,
          numBeams: 4,
          earlyStopping: true,
          eosTokenIds: [1, 2],
          padTokenId: 0,
          decoderStartTokenId: 0,
        },
      },
    });
  });

  test('is what config.json says without generation_config.json', async () => {
    const { generation } = await descriptionOf(generator({}));
    assert.equal(generation!.text.options.numBeams, 7);
    assert.deepEqual(generation!.text.options.eosTokenIds, [1]);
  });

  test('a decoder starts with the token of the beginning if no other is named', async () => {
    const { generation } = await descriptionOf(
      generator({
        'config.json': {
          architectures: ['BartForConditionalGeneration'],
          max_position_embeddings: 64,
        },
        'generation_config.json': { bos_token_id: 5, forced_eos_token_id: [2], pad_token_id: -1 },
      }),
    );
    assert.equal(generation!.positions, 64);
    assert.deepEqual(generation!.text.options, { decoderStartTokenId: 5, forcedEosTokenId: 2 });
  });
});
