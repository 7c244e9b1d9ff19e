/** @module Outputs that are pooled where they are computed. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { BatchingOptions, Model, PoolMode, PoolOptions, Tensors } from '../../native/index.ts';
import { loop, open, refused, tensor, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const MODES = [
  'cls',
  'last',
  'max',
  'mean',
  'mean_sqrt_len_tokens',
  'weightedmean',
] as const satisfies readonly PoolMode[];

/** The outputs of `masked-mean` are `hidden` [rows, tokens, 4] and `pooled` [rows, 4]. */
const withTexts = (body: (model: Model) => unknown, batching: BatchingOptions = {}) =>
  withModel(engine, 'masked-mean', body, {
    batching: {
      axes: { sequence_length: { buckets: [4, 8, 16], mask: 'attention_mask' } },
      ...batching,
    },
  });

function texts(rows: number, length: number, seed = 0): Tensors {
  const ids = Array.from({ length: rows * length }, (_, i) => BigInt((seed * 31 + i * 7) % 8));
  return { token_ids: tensor('int64', [rows, length], BigInt64Array.from(ids)) };
}

const pooling = (
  modes: readonly PoolMode[],
  ...tokens: readonly (readonly [number, number])[]
): PoolOptions => ({ output: 'hidden', modes, tokens: Int32Array.from(tokens.flat()) });

/** What the modes make of the numbers of each place of the vectors of the tokens. */
function expected(hidden: Float32Array, row: number, length: number, from: number, to: number) {
  const size = 4;
  const places = Array.from({ length: size }, (_, i) =>
    Array.from({ length: to - from }, (_, t) => hidden[(row * length + from + t) * size + i]!),
  );
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const weights = Array.from({ length: to - from }, (_, t) => from + t + 1);
  return {
    cls: places.map((values) => values[0]!),
    last: places.map((values) => values.at(-1)!),
    max: places.map((values) => Math.max(...values)),
    mean: places.map((values) => sum(values) / values.length),
    mean_sqrt_len_tokens: places.map((values) => sum(values) / Math.sqrt(values.length)),
    weightedmean: places.map(
      (values) => sum(values.map((value, i) => value * weights[i]!)) / sum(weights),
    ),
  };
}

function assertClose(actual: Float32Array, wanted: readonly number[]) {
  assert.equal(actual.length, wanted.length);
  for (const [i, value] of wanted.entries()) {
    assert.ok(Math.abs(actual[i]! - value) <= 1e-5 * Math.max(1, Math.abs(value)), `${i}`);
  }
}

describe('a pooled output', () => {
  test('is made of the tokens that count, padded and in a batch with others', () =>
    withTexts(async (model) => {
      const lengths = [3, 4, 7, 8, 13, 16];
      const whole = await Promise.all(lengths.map((length) => model.run(texts(1, length, length))));
      const pooled = await Promise.all(
        lengths.map((length) =>
          model.run(texts(1, length, length), { pool: pooling(MODES, [1, length - 1]) }),
        ),
      );
      for (const [i, length] of lengths.entries()) {
        const { outputs } = pooled[i]!;
        assert.deepEqual(Object.keys(outputs), ['hidden']);
        assert.deepEqual(outputs.hidden!.dims, [1, 4 * MODES.length]);
        const hidden = whole[i]!.outputs.hidden!.data as Float32Array;
        const vectors = expected(hidden, 0, length, 1, length - 1);
        assertClose(
          outputs.hidden!.data as Float32Array,
          MODES.flatMap((mode) => vectors[mode]),
        );
      }
    }));

  test('is made on the JavaScript thread and without batches, too', async () => {
    const batching = false;
    for (const options of [{ batching }, { batching, inline: false }] as const) {
      await withModel(
        engine,
        'masked-mean',
        async (model) => {
          const inputs = {
            ...texts(2, 4),
            attention_mask: tensor('int64', [2, 4], new BigInt64Array(8).fill(1n)),
          };
          const whole = (await model.run(inputs)).outputs.hidden!.data as Float32Array;
          const { outputs } = await model.run(inputs, { pool: pooling(['max'], [0, 4], [1, 3]) });
          assertClose(outputs.hidden!.data as Float32Array, [
            ...expected(whole, 0, 4, 0, 4).max,
            ...expected(whole, 1, 4, 1, 3).max,
          ]);
        },
        options,
      );
    }
  });

  test('of a request in parts is joined', () =>
    withTexts(
      async (model) => {
        const rows = 21;
        const whole = await model.run(texts(rows, 8));
        const tokens = Array.from({ length: rows }, (_, row) => [row % 3, 4 + (row % 5)] as const);
        const { outputs } = await model.run(texts(rows, 8), {
          pool: pooling(['mean'], ...tokens),
        });
        assert.deepEqual(outputs.hidden!.dims, [rows, 4]);
        const hidden = whole.outputs.hidden!.data as Float32Array;
        assertClose(
          outputs.hidden!.data as Float32Array,
          tokens.flatMap(([from, to], row) => expected(hidden, row, 8, from, to).mean),
        );
      },
      { maxRows: 8 },
    ));
});

describe('a pooling is refused', () => {
  const cases: readonly (readonly [string, PoolOptions, RegExp])[] = [
    [
      'of no output',
      { ...pooling(['mean'], [0, 1]), output: 'no' },
      /pool\.output is 'no'.*'hidden'/,
    ],
    ['without a mode', pooling([], [0, 1]), /pool\.modes is : expected a list/],
    ['of an unknown mode', pooling(['median' as PoolMode], [0, 1]), /'median': expected cls, last/],
    [
      'without tokens',
      { ...pooling(['mean']), tokens: [0, 1] as never },
      /pool\.tokens.*Int32Array/,
    ],
    ['that is nothing', null as never, /pool is null: expected an object/],
    ['with tokens of no row', pooling(['mean']), /0 pairs of tokens are given, but it needs one/],
    ['with tokens of two rows', pooling(['mean'], [0, 1], [0, 1]), /2 pairs of tokens are given/],
    ['with half a pair', { ...pooling(['mean']), tokens: Int32Array.of(0) }, /not valid/],
    ['of no token', pooling(['mean'], [2, 2]), /none of them counts/],
    ['of a token before the first', pooling(['mean'], [-1, 2]), /tokens -1 to before 2/],
    ['of a token of the padding', pooling(['mean'], [0, 4]), /tokens 0 to before 4 are not among/],
    ['of a token after the padding', pooling(['mean'], [0, 17]), /tokens 0 to before 17/],
    [
      'of an output without tokens',
      { ...pooling(['mean'], [0, 1]), output: 'pooled' },
      /float32 \[1,4\] cannot be pooled/,
    ],
  ];
  for (const [what, pool, message] of cases) {
    test(what, () =>
      withTexts(async (model) => {
        await refused(model.run(texts(1, 3), { pool }), 'INVALID_ARGUMENT', message);
        assert.ok((await model.run(texts(1, 3))).outputs.hidden);
      }),
    );
  }

  test('in parts as in one', () =>
    withTexts(
      async (model) => {
        for (const pool of [
          { ...pooling(['mean']), tokens: [] as never },
          pooling(['mean'], [0, 1]),
        ]) {
          await refused(model.run(texts(9, 4), { pool }), 'INVALID_ARGUMENT', /tokens/);
        }
      },
      { maxRows: 4 },
    ));

  test('beside names of outputs', () =>
    withTexts(async (model) => {
      const options = { pool: pooling(['mean'], [0, 1]), outputs: ['hidden'] };
      await refused(model.run(texts(1, 3), options), 'INVALID_ARGUMENT', /leave outputs out/);
    }));

  test('of whole numbers', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const output = model.signature.outputs[0]!.name;
      const pool = { ...pooling(['mean'], [0, 1]), output };
      await refused(loop(model, 1, { pool }), 'INVALID_ARGUMENT', /cannot be pooled/);
    }));
});
