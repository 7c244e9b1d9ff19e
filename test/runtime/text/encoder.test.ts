/** @module The inputs, outputs and lengths of a text model, as its graph has them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileTensor, TensorSpec } from '../../../native/index.ts';
import { textBatching } from '../../../runtime/text/axes.ts';
import { encoderInputs, encoderOutput, labelsOfScores } from '../../../runtime/text/encoder.ts';
import type { TextTaskName } from '../../../runtime/text/index.ts';

type Dim = number | string;

/** A tensor of which a dimension without a number has that name in the file. */
const spec = <Type extends FileTensor['type']>(name: string, dims: readonly Dim[], type: Type) => ({
  name,
  type,
  dims: dims.map((dim) => (typeof dim === 'number' ? dim : -1)),
  symbols: dims.map((dim) => (typeof dim === 'number' ? '' : dim)),
});
const ids = (name: string, ...dims: readonly Dim[]) => spec(name, dims, 'int64');
const floats = (name: string, ...dims: readonly Dim[]): TensorSpec => spec(name, dims, 'float32');

const BERT = [
  ids('input_ids', 'batch_size', 'sequence_length'),
  ids('attention_mask', 'batch_size', 'sequence_length'),
  ids('token_type_ids', 'batch_size', 'sequence_length'),
];

describe('the inputs', () => {
  test('are those that the graph has, in any order', () => {
    assert.deepEqual(encoderInputs(BERT.toReversed(), 7), {
      type: 'int64',
      length: undefined,
      padId: 7,
      ids: 'input_ids',
      mask: 'attention_mask',
      types: 'token_type_ids',
      positions: undefined,
    });
  });

  test('may be the ids alone, in 32 bits, and of one length', () => {
    const only = encoderInputs([spec('input_ids', [1, 128], 'int32')], 0);
    assert.ok(typeof only === 'object');
    assert.deepEqual(
      [only.type, only.length, only.mask, only.types, only.positions],
      ['int32', 128, undefined, undefined, undefined],
    );
  });

  for (const [what, specs, reason] of [
    ['without ids', [ids('attention_mask', 'b', 's')], /^The graph has no input 'input_ids'$/],
    ['of nothing', [], /has no input 'input_ids'/],
    [
      'of a decoder with a cache',
      [...BERT, floats('past_key_values.0.key', 'b', 4, 'p', 8)],
      /has the input 'past_key_values\.0\.key', which is not made from text/,
    ],
    [
      'of pictures',
      [floats('pixel_values', 'b', 3, 224, 224)],
      /'pixel_values', which is not made/,
    ],
    ['of floats', [floats('input_ids', 'b', 's')], /'input_ids' .* int64 or int32 .* is float32/],
    ['of one dimension', [ids('input_ids', 's')], /\[rows, tokens\] but is int64 and \[-1\]/],
    [
      'of different types',
      [ids('input_ids', 'b', 's'), spec('attention_mask', ['b', 's'], 'int32')],
      /'input_ids' and 'attention_mask' of the graph have different types/,
    ],
    ['of a sequence', [{ ...ids('input_ids', 'b', 's'), type: '' as const }], /is no tensor/],
  ] as const) {
    test(`${what} are none that text can be made into`, () => {
      const made = encoderInputs(specs, 0);
      assert.ok(typeof made === 'string');
      assert.match(made, reason);
    });
  }
});

describe('the output', () => {
  const hidden = floats('last_hidden_state', 'b', 's', 32);
  const pooled = floats('pooler_output', 'b', 32);
  const sentence = floats('sentence_embedding', 'b', 32);
  const logits = floats('logits', 'b', 3);
  const choose = (task: TextTaskName, outputs: readonly TensorSpec[], wanted?: string) => {
    const output = encoderOutput(task, outputs, wanted);
    return typeof output === 'string' ? output : output.name;
  };

  for (const [what, task, outputs, name] of [
    ['of a classifier is its logits', 'text-classification', [hidden, logits], 'logits'],
    ['of a classifier may have another name', 'rerank', [floats('score', 'b', 1)], 'score'],
    [
      'of a classifier with hidden states is the one of scores',
      'zero-shot-classification',
      [floats('hidden', 'b', 's', 8), floats('scores', 'b', 3)],
      'scores',
    ],
    [
      'of a classifier of tokens has scores for each token',
      'token-classification',
      [floats('logits', 'b', 's', 9)],
      'logits',
    ],
    ['of an encoder is its vectors of tokens', 'feature-extraction', [pooled, hidden], hidden.name],
    [
      'of sentence-transformers as optimum exports it too',
      'feature-extraction',
      [floats('token_embeddings', 'b', 's', 32), sentence],
      'token_embeddings',
    ],
    ['of an encoder may be pooled', 'feature-extraction', [sentence], 'sentence_embedding'],
    ['of an encoder may have another name', 'feature-extraction', [floats('x', 'b', 's', 8)], 'x'],
  ] as const) {
    test(what, () => assert.equal(choose(task, outputs), name));
  }

  test('is the one that model.json names', () => {
    assert.equal(choose('feature-extraction', [hidden, pooled], 'pooler_output'), 'pooler_output');
    assert.match(
      choose('text-classification', [logits], 'scores'),
      /^The model has no output 'scores'; write one of 'logits' in "output"$/,
    );
    assert.match(
      choose('text-classification', [logits, hidden], 'last_hidden_state'),
      /^The task text-classification cannot read the output 'last_hidden_state'/,
    );
  });

  test('is a sentence if there is none of the form, or several', () => {
    assert.match(
      choose('token-classification', [logits]),
      /needs an output of floats with the shape \[rows, tokens, numbers\], but the model has 'logits'/,
    );
    assert.match(
      choose('text-classification', [floats('a', 'b', 2), floats('c', 'b', 2)]),
      /shape \[rows, numbers\], but the model has 'a', 'c'; write the one/,
    );
    assert.match(choose('rerank', [spec('logits', ['b', 1], 'int64')]), /output of floats/);
  });

  test('of 16-bit floats can be read', () => {
    assert.equal(choose('rerank', [spec('logits', ['b', 1], 'float16')]), 'logits');
  });
});

describe('the labels', () => {
  test('are those of the configuration, or numbers as in transformers', () => {
    const scores = floats('logits', 'b', 2);
    assert.deepEqual(labelsOfScores(scores, ['no', 'yes']), ['no', 'yes']);
    assert.deepEqual(labelsOfScores(scores, undefined), ['LABEL_0', 'LABEL_1']);
    assert.deepEqual(labelsOfScores(floats('logits', 'b', 'n'), ['a']), ['a']);
    assert.deepEqual(labelsOfScores(floats('logits', 'b', 'n'), undefined), []);
  });

  test('must be as many as the scores', () => {
    assert.throws(() => labelsOfScores(floats('logits', 'b', 3), ['a', 'b']), {
      code: 'INVALID_CONFIG',
      message:
        "The configuration names 2 labels, but output 'logits' has 3 scores; name as many labels.",
    });
  });
});

describe('the axis of tokens', () => {
  const batchingOf = (
    inputs: readonly FileTensor[],
    outputs: readonly FileTensor[],
    window = 64,
    device = 'cpu',
  ) => textBatching({ digest: '', inputs, outputs, metadata: {} }, 1, window, device);

  test('has the name of the file, the buckets of the window, the padding and the mask', () => {
    const outputs = [floats('last_hidden_state', 'batch_size', 'sequence_length', 32)];
    assert.deepEqual(batchingOf(BERT, outputs), {
      axes: {
        sequence_length: {
          buckets: [16, 32, 64],
          pad: { input_ids: 1 },
          mask: 'attention_mask',
        },
      },
      maxElements: 2048,
    });
  });

  test('is called by its place if it has no name, with the places of the others', () => {
    const unnamed = BERT.map((input) => ({ ...input, symbols: ['', ''] }));
    const outputs = [floats('last_hidden_state', '', '', 32), floats('pooler_output', '', 32)];
    assert.deepEqual(batchingOf(unnamed, outputs)!.axes!['input_ids:1']!.dimensions, [
      'attention_mask:1',
      'token_type_ids:1',
      'last_hidden_state:1',
    ]);
  });

  test('has the places to which the exporter gave other names', () => {
    const inputs = [ids('input_ids', 'batch', 'seq'), ids('attention_mask', 'batch', 'mask_len')];
    const outputs = [
      floats('logits', 'batch', 'Addlogits_dim_1', 9),
      floats('attentions.0', 'batch', 4, 'seq', 'keys'),
      floats('embedding', 'batch', 'Divembedding_dim_1'),
    ];
    assert.deepEqual(batchingOf(inputs, outputs)!.axes!.seq!.dimensions, [
      'attention_mask:1',
      'logits:1',
      'attentions.0:3',
    ]);
  });

  test('is missing if the graph takes one length, or does not tell rows from tokens', () => {
    assert.equal(batchingOf([ids('input_ids', 'batch', 128)], []), undefined);
    assert.equal(batchingOf([ids('input_ids', 'n', 'n')], []), undefined);
    assert.equal(batchingOf([], []), undefined);
  });

  test('without a mask is declared without one', () => {
    const { axes } = batchingOf([ids('input_ids', 'b', 's')], [])!;
    assert.deepEqual(axes, { s: { buckets: [16, 32, 64], pad: { input_ids: 1 } } });
  });

  test('allows more tokens in a batch of a GPU, and always those of one window', () => {
    assert.equal(batchingOf(BERT, [], 512, 'cuda:0')!.maxElements, 16_384);
    assert.equal(batchingOf(BERT, [], 8192)!.maxElements, 8192);
  });
});
