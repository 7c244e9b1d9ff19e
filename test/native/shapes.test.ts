/** @module Requests of different lengths: padded to declared buckets, batched, and trimmed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type {
  AxisOptions,
  BatchingOptions,
  Model,
  RunResult,
  Tensor,
  Tensors,
} from '../../native/index.ts';
import { fixture, open, refused, tensor, unmeasured, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const masked: AxisOptions = { buckets: [4, 8, 16], pad: { token_ids: 7 }, mask: 'attention_mask' };
const text = { sequence_length: masked };

const product = (dims: readonly number[]) => dims.reduce((size, dim) => size * dim, 1);

/** Token ids whose numbers depend on `seed`. */
function tokens(seed: number, length: number, rows = 1): Tensor<'int64'> {
  const ids = Array.from({ length: rows * length }, (_, i) => BigInt((seed * 31 + i * 7) % 8));
  return tensor('int64', [rows, length], BigInt64Array.from(ids));
}

function assertClose(actual: RunResult['outputs'], expected: RunResult['outputs'], what: string) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, { dims, data }] of Object.entries(expected)) {
    assert.deepEqual(actual[name]!.dims, dims, `${what}: dims of ${name}`);
    const own = actual[name]!.data as Float32Array;
    assert.equal(own.length, product(dims), `${what}: elements of ${name}`);
    for (const [i, value] of (data as Float32Array).entries()) {
      assert.ok(Math.abs(own[i]! - value) <= 1e-5, `${what}: ${name}[${i}] ${own[i]} ${value}`);
    }
  }
}

/** The results of the requests if each runs alone and no axes are declared. */
async function alone(name: string, requests: readonly Tensors[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  await withModel(
    engine,
    name,
    async (model) => {
      for (const inputs of requests) results.push(await model.run(inputs));
    },
    { batching: false },
  );
  return results;
}

const withAxes = (
  name: string,
  batching: BatchingOptions,
  body: (model: Model) => unknown,
): Promise<void> => withModel(engine, name, body, { batching, instances: 1 });

describe('a text encoder', () => {
  const lengths = [3, 5, 4, 16, 0, 1, 8, 9, 2, 7];
  const ids = Array.from({ length: 400 }, (_, i) =>
    tokens(i, lengths[i % lengths.length]!, 1 + (i % 3)),
  );
  const masks = ids.map(({ dims }) =>
    tensor(
      'int64',
      dims,
      BigInt64Array.from({ length: product(dims) }, (_, i) => (i % 5 ? 1n : 0n)),
    ),
  );
  const ones = ids.map(({ dims }) =>
    tensor('int64', dims, new BigInt64Array(product(dims)).fill(1n)),
  );

  for (const [what, mask] of [
    ['its own masks', masks],
    ['no masks', undefined],
  ] as const) {
    test(`with ${what} returns the same for every length as a run alone`, async () => {
      const expected = await alone(
        'masked-mean',
        ids.map((token_ids, i) => ({ token_ids, attention_mask: (mask ?? ones)[i]! })),
      );
      await withAxes('masked-mean', { axes: text, maxRows: 16 }, async (model) => {
        assert.deepEqual(model.signature.batching, {
          enabled: true,
          maxRows: 16,
          reason: '',
          axes: { sequence_length: [4, 8, 16] },
        });
        const results = await Promise.all(
          ids.map((token_ids, i) =>
            model.run(mask === undefined ? { token_ids } : { token_ids, attention_mask: mask[i]! }),
          ),
        );
        for (const [i, { outputs }] of results.entries()) {
          assertClose(outputs, expected[i]!.outputs, `request ${i}`);
        }
        const { batches, completed } = model.stats();
        assert.equal(completed, ids.length);
        assert.ok(batches < ids.length / 2, `${batches} runs: lengths did not share them`);
      });
    });
  }

  test('batches lengths of one bucket', () => {
    const batching = { axes: text, maxDelayMs: 60_000, maxRows: 3 };
    const body = async (model: Model) => {
      const runs = [1, 4, 3].map((length) => model.run({ token_ids: tokens(1, length) }));
      for (const { timings } of await Promise.all(runs)) assert.equal(timings.batchRequests, 3);
    };
    return withModel(engine, 'masked-mean', body, { batching, ...unmeasured });
  });

  test('is batched after a probe if maxRows is not set', () =>
    withAxes('masked-mean', { axes: text }, ({ signature }) => {
      assert.equal(signature.batching.enabled, true, signature.batching.reason);
    }));

  test('has a cost for every bucket before its first request', async () => {
    await withAxes('masked-mean', { axes: text, maxRows: 4 }, (model) => {
      const seen = new Set(model.stats().costs.map(({ lengths }) => lengths?.sequence_length));
      assert.deepEqual([...seen], [4, 8, 16]);
    });
  });

  test('finds the costs of its buckets in the cost file, whatever other buckets the file has', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-shapes-'));
    const costFile = path.join(folder, 'costs.json');
    const load = async (buckets: readonly number[], warmupMs: number) => {
      const axes = { sequence_length: { ...masked, buckets } };
      const batching = { axes, maxRows: 2 };
      const model = await engine.load({
        path: fixture('masked-mean'),
        batching,
        costFile,
        warmupMs,
      });
      const { costs } = model.stats();
      await model.close();
      return costs.map(({ lengths, rows }) => [lengths?.sequence_length, rows]);
    };
    assert.deepEqual(
      await load([4, 8], 200),
      [4, 8].flatMap((length) => [1, 2].map((rows) => [length, rows])),
    );
    assert.deepEqual(await load([8, 16], 0), [
      [8, 1],
      [8, 2],
    ]);
    rmSync(folder, { recursive: true });
  });

  test('refuses a request longer than the largest bucket, and says how long it may be', () =>
    withAxes('masked-mean', { axes: text }, async (model) => {
      const run = model.run({ token_ids: tokens(1, 17) });
      await refused(
        run,
        'INVALID_ARGUMENT',
        /'token_ids' has length 17 along 'sequence_length', .* at most 16/,
      );
    }));

  test('refuses inputs of unequal lengths', () =>
    withAxes('masked-mean', { axes: text }, async (model) => {
      const run = model.run({ token_ids: tokens(1, 3), attention_mask: tokens(1, 4) });
      await refused(run, 'INVALID_ARGUMENT', /'attention_mask' has length 4 .* 'token_ids' has 3/);
    }));

  test('needs a mask input if no mask is declared', () =>
    withAxes('masked-mean', {}, async (model) => {
      const run = model.run({ token_ids: tokens(1, 3) });
      await refused(run, 'INVALID_ARGUMENT', /'attention_mask' is missing/);
    }));

  test('runs requests of more rows than a batch in parts, and creates the mask for each part', async () => {
    const token_ids = tokens(1, 5, 50);
    const attention_mask = tensor('int64', [50, 5], new BigInt64Array(250).fill(1n));
    const [expected] = await alone('masked-mean', [{ token_ids, attention_mask }]);
    await withAxes('masked-mean', { axes: text, maxElements: 64 }, async (model) => {
      const { outputs, timings } = await model.run({ token_ids });
      assertClose(outputs, expected!.outputs, 'in parts');
      assert.ok(timings.batchRows <= 8, `${timings.batchRows} rows of 8 tokens`);
      assert.equal(model.stats().rows, 50);
    });
  });

  test('takes over the memory of large inputs', async () => {
    const axes = { sequence_length: { ...masked, buckets: [16_384] } };
    const token_ids = tokens(1, 9000);
    const attention_mask = tensor('int64', [1, 9000], new BigInt64Array(9000).fill(1n));
    const [expected] = await alone('masked-mean', [{ token_ids, attention_mask }]);
    await withAxes('masked-mean', { axes }, async (model) => {
      const { outputs } = await model.run({ token_ids }, { transfer: true });
      assertClose(outputs, expected!.outputs, 'transferred');
      assert.equal(token_ids.data.length, 0, 'it was detached');
    });
  });
});

describe('batches', () => {
  test('end at the maximum number of elements', () =>
    withAxes(
      'masked-mean',
      { axes: text, maxElements: 32, maxRows: 64, maxDelayMs: 30 },
      async (model) => {
        const runs = Array.from({ length: 10 }, (_, i) => model.run({ token_ids: tokens(i, 7) }));
        for (const { timings } of await Promise.all(runs)) {
          assert.ok(timings.batchRows <= 4, `${timings.batchRows} rows of 8 tokens`);
        }
      },
    ));

  test('are padded to the declared numbers of rows, which the outputs do not show', async () => {
    const requests = [1, 2, 3].map((rows) => ({
      x: tensor('float32', [rows, 2], floats(rows * 2)),
    }));
    const expected = await alone('dynamic-axes', requests);
    await withAxes('dynamic-axes', { rowBuckets: [16, 4, 4], maxDelayMs: 5 }, async (model) => {
      assert.equal(model.signature.batching.maxRows, 16);
      for (const [i, inputs] of requests.entries()) {
        const { outputs, timings } = await model.run(inputs);
        assertClose(outputs, expected[i]!.outputs, `${i + 1} rows`);
        assert.equal(timings.batchRows, i + 1);
      }
      const { costs } = model.stats();
      assert.deepEqual([...new Set(costs.map(({ rows }) => rows))], [4, 16]);
    });
  });
});

const floats = (length: number) => Float32Array.from({ length }, (_, i) => i + 1);

describe('outputs', () => {
  test('are trimmed along every axis, in any order of axes', async () => {
    const sizes = [
      [3, 5],
      [8, 2],
      [1, 1],
      [4, 8],
      [0, 3],
    ] as const;
    const requests = sizes.map(([height, width]) => ({
      image: tensor('float32', [2, 2, height, width], floats(4 * height * width)),
    }));
    const expected = await alone('image-axes', requests);
    const axes = { height: { buckets: [4, 8] }, width: { buckets: [4, 8], pad: 0 } };
    await withAxes('image-axes', { axes, maxDelayMs: 5 }, async (model) => {
      const results = await Promise.all(requests.map((inputs) => model.run(inputs)));
      for (const [i, { outputs }] of results.entries()) {
        assertClose(outputs, expected[i]!.outputs, `${sizes[i]}`);
      }
    });
  });

  test('of strings are trimmed too', () =>
    withAxes('texts', { axes: { L: { buckets: [4], pad: '-' } }, maxDelayMs: 5 }, async (model) => {
      const inputs = [1, 3, 0, 4].map((length) =>
        tensor(
          'string',
          [1, length, 2],
          Array.from({ length: 2 * length }, (_, i) => `${length}.${i}`),
        ),
      );
      const results = await Promise.all(inputs.map((x) => model.run({ x })));
      for (const [i, { outputs }] of results.entries()) assert.deepEqual(outputs.y, inputs[i]);
    }));

  test('are trimmed along dimension 0 if that is an axis and does not count rows', () =>
    withAxes('length-axis', { axes: { L: { buckets: [4, 8] } } }, async (model) => {
      const { batching } = model.signature;
      assert.equal(batching.enabled, false);
      assert.match(batching.reason, /'L' is along dimension 0/);
      const { outputs } = await model.run({ x: tensor('float32', [3, 2], floats(6)) });
      assert.deepEqual(outputs.y!.dims, [3, 2]);
      assert.deepEqual([...(outputs.y!.data as Float32Array)], [-1, -2, -3, -4, -5, -6]);
    }));

  test('are not padded if padding changes them, so that only equal lengths share a batch', async () => {
    const requests = [3, 4, 3, 5, 3].map((length, i) => ({ token_ids: tokens(i, length) }));
    const expected = await alone('plain-mean', requests);
    const axes = { sequence_length: { buckets: [8] } };
    await withAxes('plain-mean', { axes, maxDelayMs: 20 }, async (model) => {
      const { enabled, reason, axes: padded } = model.signature.batching;
      assert.deepEqual([enabled, padded], [true, undefined]);
      assert.match(reason, /'pooled' differs where 'sequence_length' is padded/);
      const results = await Promise.all(requests.map((inputs) => model.run(inputs)));
      for (const [i, { outputs, timings }] of results.entries()) {
        assertClose(outputs, expected[i]!.outputs, `request ${i}`);
        assert.ok(timings.batchRequests <= 3, `${timings.batchRequests} requests in a batch`);
      }
      const long = model.run({ token_ids: tokens(1, 9) });
      await refused(long, 'INVALID_ARGUMENT', /at most 8/);
    });
  });
});

describe('declarations that cannot be true are refused', () => {
  const load = (name: string, batching: BatchingOptions) =>
    engine.load({ path: fixture(name), batching });
  const fails = async (loading: Promise<unknown>, message: RegExp) => {
    await refused(loading, 'INVALID_ARGUMENT', message);
  };
  const axis = (axes: unknown) =>
    load('masked-mean', { axes: axes as BatchingOptions['axes'] & {} });

  const declarations: readonly (readonly [unknown, RegExp])[] = [
    [{ words: masked }, /No input has a dimension named 'words': it can be 'batch', /],
    [{ sequence_length: null }, /axes\['sequence_length'\] is null: expected an object/],
    [{ sequence_length: {} }, /buckets needs 1 to 256 sizes/],
    [{ sequence_length: { buckets: [] } }, /buckets needs 1 to 256 sizes/],
    [{ sequence_length: { buckets: [4, 0] } }, /has the size 0: expected whole numbers from 1/],
    [{ sequence_length: { buckets: [4, -1] } }, /has the size -1/],
    [{ sequence_length: { buckets: [2 ** 53] } }, /has the size 9007199254740992/],
    [{ sequence_length: { buckets: [1.5] } }, /has the size 1.5/],
    [{ sequence_length: { buckets: ['4'] } }, /has the size 4: expected whole numbers/],
    [{ sequence_length: { buckets: Array(257).fill(1) } }, /1 to 256 sizes/],
    [{ sequence_length: { buckets: [4], mask: 'hidden' } }, /mask 'hidden' is no input/],
    [{ sequence_length: { buckets: [4], mask: 7 } }, /mask is 7: expected the name/],
    [{ sequence_length: { buckets: [4], pad: 0.5 } }, /does not fit the type int64/],
    [{ sequence_length: { buckets: [4], pad: 2n ** 63n } }, /does not fit the type int64/],
    [{ sequence_length: { buckets: [4], pad: 2n ** 64n } }, /expected a number, a bigint of 64/],
    [
      { sequence_length: { buckets: [4], pad: { x: 0 } } },
      /a pad value for 'x', which is no input/,
    ],
    [
      { sequence_length: { buckets: [4], dimensions: 'x' } },
      /dimensions is x: expected a list of strings/,
    ],
    [{ sequence_length: { buckets: [4], dimensions: ['pooled:1'] } }, /no dynamic dimension/],
    [{ sequence_length: masked, 'token_ids:1': masked }, /declared for two axes/],
  ];
  for (const [axes, message] of declarations) {
    const shown = JSON.stringify(axes, (_, value) =>
      typeof value === 'bigint' ? `${value}n` : value,
    );
    test(`axes: ${shown.slice(0, 80)}`, () => fails(axis(axes), message));
  }

  test('an axis along dimension 0 of a batched model', () =>
    fails(
      load('length-axis', { axes: { L: { buckets: [4] } }, maxRows: 4 }),
      /axis 'L' is along dimension 0/,
    ));

  test('an output whose dimension no axis is declared for', () =>
    fails(
      load('unnamed-dims', { axes: { 'x:1': { buckets: [4] } } }),
      /'y:1' changes with the declared axes, .* add 'y:1' to `dimensions`/,
    ));

  test('the same output is accepted and trimmed if an axis is declared for it', () =>
    withAxes(
      'unnamed-dims',
      { axes: { 'x:1': { buckets: [4], dimensions: ['y:1'] } } },
      async (model) => {
        const { outputs } = await model.run({ x: tensor('float32', [1, 3], floats(3)) });
        assert.deepEqual(outputs.y, tensor('float32', [1, 3], Float32Array.of(-1, -2, -3)));
      },
    ));

  test('an output that is twice as long as its axis', () =>
    fails(
      load('length-doubles', { axes: { L: { buckets: [4], dimensions: ['y:1'] } } }),
      /'y:1' is declared to have the length of 'L', but has 8 where that is 4/,
    ));

  test('a row of more elements than maxElements', () =>
    fails(
      load('masked-mean', { axes: text, maxElements: 15 }),
      /may have 16 elements in the largest buckets, but batching.maxElements allows 15/,
    ));

  test('rowBuckets that contradict maxRows', () =>
    fails(
      load('dynamic-axes', { rowBuckets: [1, 4], maxRows: 8 }),
      /maxRows is 8, but the largest of batching.rowBuckets is 4/,
    ));

  test('hostile sizes are refused, and the model continues to serve', () =>
    withAxes('masked-mean', { axes: text, maxElements: 4096 }, async (model) => {
      const none = new BigInt64Array(0);
      const dims: readonly unknown[] = [
        [1, 2 ** 53],
        [2 ** 53, 0],
        [2 ** 31, 0],
        [2 ** 32, 2 ** 32],
        [1, -1],
        [-1, 1],
        [1, 1.5],
        [1, Number.NaN],
        [1, Number.POSITIVE_INFINITY],
        [1, 2n],
        [1n, 1],
        [1],
        [1, 1, 1],
        [],
        Array(17).fill(1),
        'x',
        null,
      ];
      for (const shape of dims) {
        const token_ids = tensor('int64', shape as number[], none);
        await refused(model.run({ token_ids }), 'INVALID_ARGUMENT');
      }
      const { outputs } = await model.run({ token_ids: tokens(1, 3) });
      assert.deepEqual(outputs.hidden!.dims, [1, 3, 4]);
    }));
});
