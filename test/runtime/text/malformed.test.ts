/** @module Files of a folder from Hugging Face with mistakes: each fails the version with the file and the key. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { classifierFolder, type FolderFiles, sourceOf } from '../../support/text-folder.ts';

const config = classifierFolder['config.json'] as object;
const classifier = (key: string, value: unknown): FolderFiles => ({
  ...classifierFolder,
  'config.json': { ...config, [key]: value },
});
const tokenizer = (key: string, value: unknown): FolderFiles => ({
  ...classifierFolder,
  'tokenizer_config.json': { [key]: value },
});

const embedding: FolderFiles = {
  ...classifierFolder,
  'config.json': { architectures: ['BertModel'], vocab_size: 30 },
};
const MODULES = [
  { idx: 0, path: '', type: 'sentence_transformers.models.Transformer' },
  { idx: 1, path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
];
const dense = (layer: object, weights = ''): FolderFiles => ({
  ...embedding,
  'modules.json': [...MODULES, { path: '2_Dense', type: 'sentence_transformers.models.Dense' }],
  '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
  '2_Dense/config.json': layer,
  '2_Dense/model.safetensors': weights,
});
const pooling = (file: unknown): FolderFiles => ({
  ...embedding,
  'modules.json': MODULES,
  '1_Pooling/config.json': file as object,
});
const prompts = (file: object): FolderFiles => ({
  ...embedding,
  'config_sentence_transformers.json': file,
});
const generation = (key: string, value: unknown): FolderFiles => ({
  'config.json': { architectures: ['GPT2LMHeadModel'], model_type: 'gpt2', n_positions: 64 },
  'tokenizer.json': '{}',
  'onnx/model.onnx': '',
  'generation_config.json': { [key]: value },
});
const summaries = (value: unknown): FolderFiles => ({
  ...generation('num_beams', 1),
  'config.json': {
    architectures: ['GPT2LMHeadModel'],
    task_specific_params: { summarization: value },
  },
});

/** A file of safetensors with this header. */
function safetensors(header: string | object, content = ''): string {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return `${length.toString('latin1')}${text}${content}`;
}
const LAYER = { in_features: 2, out_features: 1, bias: false };
const tensor = (dtype: string, shape: readonly number[], data_offsets: readonly number[]) => ({
  'linear.weight': { dtype, shape, data_offsets },
});

const CASES: readonly (readonly [what: string, files: FolderFiles, reason: RegExp])[] = [
  [
    'config.json is no JSON',
    { ...classifierFolder, 'config.json': '{' },
    /^config\.json of 'm' is not valid JSON/,
  ],
  [
    'id2label without 0',
    classifier('id2label', { 1: 'a', 2: 'b' }),
    /^config\.json of 'm' is wrong: id2label has 2 labels but none for 0/,
  ],
  ['id2label with a gap', classifier('id2label', { 0: 'a', 2: 'b' }), /none for 1; it has 0, 2\.$/],
  ['id2label with words as numbers', classifier('id2label', { a: 'b' }), /none for 0; it has a\.$/],
  [
    'id2label is a list of objects',
    classifier('id2label', { 0: {} }),
    /id2label\.0 must be .* but is \{\}/,
  ],
  ['id2label is a text', classifier('id2label', 'x'), /id2label must be an object but is "x"/],
  [
    'problem_type is unknown',
    classifier('problem_type', 'ranking'),
    /problem_type must be one of .* but is "ranking"/,
  ],
  [
    'pad_token_id is a text',
    classifier('pad_token_id', '0'),
    /pad_token_id must be a (whole )?number but is "0"/,
  ],
  [
    'pad_token_id is a fraction',
    classifier('pad_token_id', 0.5),
    /pad_token_id must be a whole number but is 0\.5/,
  ],
  [
    'max_position_embeddings is a text',
    classifier('max_position_embeddings', '512'),
    /max_position_embeddings must be a number but is "512"/,
  ],
  [
    'n_positions is a list',
    classifier('n_positions', [1]),
    /n_positions must be a number but is \[1\]/,
  ],
  ['model_type is a number', classifier('model_type', 7), /model_type must be a string but is 7/],
  [
    'tokenizer_config.json is no JSON',
    { ...classifierFolder, 'tokenizer_config.json': 'x' },
    /^tokenizer_config\.json of 'm' is not valid JSON/,
  ],
  [
    'tokenizer_config.json is a list',
    { ...classifierFolder, 'tokenizer_config.json': [] },
    /^tokenizer_config\.json of 'm' is wrong: it must be an object but is \[\]/,
  ],
  [
    'tokenizer_config.json is not UTF-8',
    { ...classifierFolder, 'tokenizer_config.json': '\ud800' },
    /^tokenizer_config\.json of 'm' is not /,
  ],
  [
    'model_max_length is a text',
    tokenizer('model_max_length', '512'),
    /model_max_length must be a number but is "512"/,
  ],
  [
    'truncation_side is neither side',
    tokenizer('truncation_side', 'middle'),
    /truncation_side must be one of "left", "right" but is "middle"/,
  ],
  [
    'clean_up_tokenization_spaces is a number',
    tokenizer('clean_up_tokenization_spaces', 1),
    /clean_up_tokenization_spaces must be true or false but is 1/,
  ],
  [
    'pad_token is a number',
    tokenizer('pad_token', 0),
    /pad_token must be a string or an object but is 0/,
  ],
  [
    'pad_token is an object without content',
    tokenizer('pad_token', { lstrip: false }),
    /pad_token\.content must be a string but is missing/,
  ],
  [
    'special_tokens_map.json has an odd token',
    { ...classifierFolder, 'special_tokens_map.json': { unk_token: [1] } },
    /^special_tokens_map\.json of 'm' is wrong: unk_token/,
  ],
  [
    'max_seq_length is 0',
    { ...classifierFolder, 'sentence_bert_config.json': { max_seq_length: 0 } },
    /^sentence_bert_config\.json of 'm' is wrong: max_seq_length must be at least 1 but is 0/,
  ],
  [
    'max_seq_length of another name of the file',
    { ...classifierFolder, 'sentence_roberta_config.json': { max_seq_length: 'x' } },
    /^sentence_roberta_config\.json of 'm' is wrong: max_seq_length/,
  ],
  [
    'modules.json is an object',
    { ...embedding, 'modules.json': {} },
    /^modules\.json of 'm' is wrong: it must be a list but is \{\}/,
  ],
  [
    'modules.json is empty',
    { ...embedding, 'modules.json': [] },
    /^modules\.json of 'm' is wrong: it must be a list whose length is at least 1/,
  ],
  [
    'a module without a type',
    { ...embedding, 'modules.json': [{ path: '' }] },
    /\[0\]\.type must be a string but is missing/,
  ],
  [
    'a module outside of the folder',
    { ...embedding, 'modules.json': [{ path: '../../etc', type: 'a.Pooling' }] },
    /\[0\]\.path must be the name of a folder but is "\.\.\/\.\.\/etc"/,
  ],
  [
    'a module at an absolute path',
    { ...embedding, 'modules.json': [{ path: '/etc', type: 'a.Pooling' }] },
    /\[0\]\.path must be the name of a folder/,
  ],
  [
    'a module whose folder is missing',
    { ...embedding, 'modules.json': MODULES },
    /^1_Pooling\/config\.json of 'm' cannot be read: it does not exist/,
  ],
  [
    'an unknown pooling mode',
    pooling({ pooling_mode: 'median' }),
    /^1_Pooling\/config\.json of 'm' is wrong: pooling_mode must be .*"cls", "max", "mean"/,
  ],
  [
    'a pooling switch that is a text',
    pooling({ pooling_mode_mean_tokens: 'yes' }),
    /pooling_mode_mean_tokens must be true or false but is "yes"/,
  ],
  [
    'an embedding of no numbers',
    pooling({ word_embedding_dimension: 0 }),
    /word_embedding_dimension must be at least 1 but is 0/,
  ],
  [
    'a dense layer without sizes',
    dense({ out_features: 1 }),
    /^2_Dense\/config\.json of 'm' is wrong: in_features must be a number but is missing/,
  ],
  [
    'a dense layer without weights',
    dense(LAYER),
    /^2_Dense\/model\.safetensors of 'm' is wrong: it is too short/,
  ],
  [
    'weights with a header beyond the file',
    dense(LAYER, `${'\x7f'.repeat(7)}\x00{}`),
    /its header is longer than the file/,
  ],
  [
    'weights with a header that is no JSON',
    dense(LAYER, safetensors('{"')),
    /its header is not valid JSON/,
  ],
  [
    'weights with an odd header',
    dense(LAYER, safetensors({ w: 7 })),
    /in its header w must be an object but is 7/,
  ],
  [
    'weights of an unknown type',
    dense(LAYER, safetensors(tensor('I8', [1, 2], [0, 2]), 'ab')),
    /the tensor 'linear\.weight' has the type I8; expected F32, F16 or BF16/,
  ],
  [
    'weights beyond the end of the file',
    dense(LAYER, safetensors(tensor('F32', [1, 2], [0, 8]), 'abcd')),
    /'linear\.weight' does not fit into the file/,
  ],
  [
    'weights with another size than their shape',
    dense(LAYER, safetensors(tensor('F32', [1, 3], [0, 8]), 'abcdefgh')),
    /does not fit into the file/,
  ],
  [
    'weights of another shape than the layer',
    dense(LAYER, safetensors(tensor('F32', [2, 1], [0, 8]), 'abcdefgh')),
    /the tensor 'linear\.weight' must have the shape \[1,2\] but has \[2,1\]/,
  ],
  [
    'weights without the bias',
    dense({ ...LAYER, bias: true }, safetensors(tensor('F32', [1, 2], [0, 8]), 'abcdefgh')),
    /'linear\.bias' must have the shape \[1\] but is missing/,
  ],
  [
    'prompts are a list',
    prompts({ prompts: ['a'] }),
    /^config_sentence_transformers\.json of 'm' is wrong: prompts must be an object but is \["a"\]/,
  ],
  [
    'a prompt is a number',
    prompts({ prompts: { query: 7 } }),
    /prompts\.query must be a string but is 7/,
  ],
  [
    'default_prompt_name names no prompt',
    prompts({ prompts: { query: 'q: ' }, default_prompt_name: 'passage' }),
    /default_prompt_name is 'passage', but the names of its prompts are 'query'/,
  ],
  [
    'generation_config.json is no JSON',
    { ...generation('x', 1), 'generation_config.json': '[' },
    /^generation_config\.json of 'm' is not valid JSON/,
  ],
  [
    'no beams',
    generation('num_beams', 0),
    /^generation_config\.json of 'm' is wrong: num_beams must be at least 1 but is 0/,
  ],
  [
    'half a token',
    generation('max_length', 20.5),
    /max_length must be a whole number but is 20\.5/,
  ],
  [
    'fewer than no tokens',
    generation('max_new_tokens', -1),
    /max_new_tokens must be at least 0 but is -1/,
  ],
  ['a temperature of 0', generation('temperature', 0), /temperature must be more than 0 but is 0/],
  ['top_p beyond 1', generation('top_p', 1.5), /top_p must be at most 1 but is 1\.5/],
  [
    'an early stop that is a number',
    generation('early_stopping', 1),
    /early_stopping must be true or false or "never" but is 1/,
  ],
  ['a negative end token', generation('eos_token_id', -2), /eos_token_id must be .* but is -2/],
  [
    'end tokens with a text',
    generation('eos_token_id', [2, 'x']),
    /eos_token_id\[1\] must be a number but is "x"/,
  ],
  [
    'an empty bad word',
    generation('bad_words_ids', [[]]),
    /bad_words_ids\[0\] must be a list whose length is at least 1 but is \[\]/,
  ],
  [
    'suppressed tokens as one number',
    generation('suppress_tokens', 7),
    /suppress_tokens must be a list but is 7/,
  ],
  [
    'a repetition penalty below 0',
    generation('repetition_penalty', -1),
    /repetition_penalty must be more than 0/,
  ],
  [
    'options for summaries that are a text',
    summaries('x'),
    /^config\.json of 'm' is wrong: task_specific_params\.summarization must be an object but is "x"/,
  ],
  [
    'a prefix for summaries that is a number',
    summaries({ prefix: 7 }),
    /task_specific_params\.summarization\.prefix must be a string but is 7/,
  ],
  [
    'beams for summaries that are a text',
    summaries({ num_beams: '4' }),
    /task_specific_params\.summarization\.num_beams must be a number but is "4"/,
  ],
  [
    'model.json with an unknown dtype',
    { ...classifierFolder, 'model.json': { dtype: 'fp64' } },
    /^model\.json of 'm' is wrong: dtype must be one of "auto", "fp32"/,
  ],
  [
    'model.json with an unknown task',
    { ...classifierFolder, 'model.json': { task: 'sentiment' } },
    /task must be one of .*"text-classification"/,
  ],
  [
    'model.json with a threshold above 1',
    { ...classifierFolder, 'model.json': { threshold: 2 } },
    /threshold must be at most 1 but is 2/,
  ],
  [
    'model.json with a dtype that is not there',
    { ...classifierFolder, 'model.json': { dtype: 'q4' } },
    /asks for dtype q4, but there is only model\.onnx/,
  ],
];

describe('a mistake in a file', () => {
  for (const [what, files, reason] of CASES) {
    test(what, async () => {
      await assert.rejects(sourceOf(files), (error: unknown) => {
        assert.ok(error instanceof ServeError, String(error));
        assert.equal(error.code, 'INVALID_CONFIG');
        assert.match(error.message, reason);
        assert.match(error.message, /\.$/);
        assert.doesNotMatch(error.message, /\/tmp\//);
        return true;
      });
    });
  }

  test('there are enough of them', () => assert.ok(CASES.length >= 60));
});

test('files that do not matter for the task are not looked at', async () => {
  const { text } = await sourceOf({
    ...classifierFolder,
    'modules.json': 'no JSON',
    'generation_config.json': 'no JSON',
    'config_sentence_transformers.json': 'no JSON',
  });
  assert.equal(text!.task, 'text-classification');
});

test('a model that is not for text may have any such files', async () => {
  const { text } = await sourceOf({
    'config.json': { architectures: ['ViTForImageClassification'] },
    'tokenizer_config.json': 'no JSON',
    'onnx/model.onnx': '',
  });
  assert.equal(text, undefined);
});
