/** @module Which models are batched, and that requests of a batch get their own rows back. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { BatchingOptions, Model, Tensor } from '../../native/index.ts';
import {
  fixture,
  float32,
  loop,
  occupy,
  open,
  refused,
  tensor,
  unmeasured,
  withModel,
} from './support.ts';

const engine = open();
after(() => engine.close());

/** For each fixture: whether it is batched without a declaration, and the reason if not. */
const states: readonly (readonly [string, RegExp | undefined])[] = [
  ['identity-float32', undefined],
  ['identity-float16', undefined],
  ['identity-string', undefined],
  ['two-in-two-out', undefined],
  ['dynamic-axes', undefined],
  ['unnamed-dims', undefined],
  ['zero-width', undefined],
  ['slow-loop', undefined],
  ['poison', undefined],
  ['reduce-mean-image', undefined],
  ['external-data/model', undefined],
  ['scalar', /Dimension 0 of input 'x' is not dynamic/],
  ['static-batch', /Dimension 0 of input 'x' is not dynamic/],
  ['no-input', /no inputs/],
  ['cross-row', /'y' of two rows together differs/],
  ['rows-change', /'y' of two rows together differs/],
  ['declared-one', undefined],
  ['kept-boxes', /'kept_boxes' of \d+ rows together differs/],
  ['kept-rows-unnamed', /size of output 'y' may depend on the data/],
  ['kept-rows', /'y' of \d+ rows together differs/],
  ['lag-2', /'y' of \d+ rows together differs/],
  ['mean-of-many', /'y' of \d+ rows together differs/],
  ['thirteen-rows', /'y' of 13 rows together differs/],
  ['detections', /'detections' of two rows together differs/],
  ['detections-of-one', /Dimension 0 of input 'image' is not dynamic/],
];

describe('batching of models', () => {
  for (const [name, reason] of states) {
    test(`${name} is ${reason === undefined ? '' : 'not '}batched by default`, () =>
      withModel(engine, name, ({ signature: { batching } }) => {
        assert.equal(batching.enabled, reason === undefined, batching.reason);
        assert.equal(batching.maxRows, reason === undefined ? 64 : 1);
        if (reason === undefined) assert.equal(batching.reason, '');
        else assert.match(batching.reason, reason);
      }));
  }

  test('is off if the option batching is false', () =>
    withModel(
      engine,
      'identity-float32',
      async (model) => {
        const { enabled, maxRows, reason } = model.signature.batching;
        assert.deepEqual([enabled, maxRows], [false, 1]);
        assert.match(reason, /turned off/);
        const runs = Array.from({ length: 30 }, () =>
          model.run({ x: float32([1, 2, 3], [4, 5, 6]) }),
        );
        for (const { timings } of await Promise.all(runs)) assert.equal(timings.batchRequests, 1);
      },
      { batching: false },
    ));

  test('a declared model is batched without a probe', () =>
    withModel(
      engine,
      'cross-row',
      ({ signature }) => {
        assert.deepEqual(signature.batching, { enabled: true, maxRows: 8, reason: '' });
      },
      { batching: { maxRows: 8 } },
    ));

  test('an output that the file declares with one row has one per input row in a declared model', () =>
    withModel(
      engine,
      'declared-one',
      ({ signature }) => {
        assert.deepEqual(signature.batching, { enabled: true, maxRows: 8, reason: '' });
        assert.deepEqual(signature.outputs[0]!.dims, [-1]);
      },
      { batching: { maxRows: 8 } },
    ));

  for (const name of ['scalar', 'static-batch']) {
    test(`${name} cannot be declared as batched`, async () => {
      const load = engine.load({ path: fixture(name), batching: { maxRows: 8 } });
      await refused(load, 'INVALID_ARGUMENT', /dimension 0 of 'x' is not dynamic.*batching: false/);
    });
  }

  test('autoMaxRows limits a batch without declaring it', () =>
    withModel(
      engine,
      'identity-float32',
      ({ signature }) => assert.equal(signature.batching.maxRows, 100),
      { batching: { autoMaxRows: 100 } },
    ));
});

describe('a model that turns out to have no rows', () => {
  const declared = { batching: { maxRows: 8 } };

  test('completes the request that reveals it, and is no longer batched', async () => {
    const notices: string[] = [];
    const notice = (sentence: string) => void notices.push(sentence);
    await withModel(
      engine,
      'rows-change',
      async (model) => {
        assert.ok(model.signature.batching.enabled);
        const { y } = (await model.run({ x: float32([1, 2]) })).outputs;
        assert.deepEqual(y, float32([1, 2], [1, 2]));
        const { enabled, maxRows, reason } = model.signature.batching;
        assert.deepEqual([enabled, maxRows, model.stats().batched], [false, 1, false]);
        assert.match(reason, /came back with another number of rows/);
        assert.deepEqual(
          notices.map((sentence) => sentence.slice(0, 18)),
          ['Requests run alone'],
        );
        const runs = Array.from({ length: 30 }, (_, i) =>
          model.run({ x: float32([i, 2], [3, i]) }),
        );
        for (const [i, { outputs, timings }] of (await Promise.all(runs)).entries()) {
          assert.deepEqual(outputs.y, float32([i, 2], [3, i], [i, 2], [3, i]));
          assert.equal(timings.batchRequests, 1);
        }
      },
      { ...declared, notice },
    );
  });

  test('runs requests of the same batch one by one', () =>
    withModel(
      engine,
      'kept-rows-unnamed',
      async (model) => {
        const least = -2e30;
        const rows = (i: number) => float32([i, 0, 0, 0], [i % 3 === 0 ? least : i, 1, 1, 1]);
        const runs = Array.from({ length: 40 }, (_, i) => model.run({ x: rows(i) }));
        for (const [i, { outputs }] of (await Promise.all(runs)).entries()) {
          const kept =
            i % 3 === 0
              ? [[i, 0, 0, 0]]
              : [
                  [i, 0, 0, 0],
                  [i, 1, 1, 1],
                ];
          assert.deepEqual(outputs.y, float32(...kept), `request ${i}`);
        }
        assert.equal(model.signature.batching.enabled, false);
      },
      declared,
    ));

  test('runs a request that is too large for a batch as a whole', () =>
    withModel(
      engine,
      'rows-change',
      async (model) => {
        const data = Array.from({ length: 20 }, (_, i) => [i, i]);
        const { y } = (await model.run({ x: float32(...data) })).outputs;
        assert.deepEqual(y, float32(...data, ...data));
      },
      declared,
    ));

  test('is no longer batched in any thread', async () => {
    const other = open();
    const options = { path: fixture('rows-change'), ...declared };
    const [one, two] = [await engine.load(options), await other.load(options)];
    await one.run({ x: float32([1, 2]) });
    assert.equal(two.stats().batched, false);
    assert.equal(two.signature.batching.enabled, false);
    await Promise.all([one.close(), two.close()]);
    await other.close();
  });
});

/** Requests of 0 to 4 rows whose numbers are all different. */
const requests: Readonly<Record<string, (index: number) => Readonly<Record<string, Tensor>>>> = {
  'dynamic-axes': (index) => {
    const dims = [index % 5, 1 + (index % 7)];
    const data = Float32Array.from({ length: dims[0]! * dims[1]! }, (_, i) => index * 64 + i);
    return { x: tensor('float32', dims, data) };
  },
  'identity-int64': (index) => {
    const rows = index % 5;
    const data = BigInt64Array.from({ length: rows * 3 }, (_, i) => BigInt(index * 64 + i));
    return { x: tensor('int64', [rows, 3], data) };
  },
  'identity-string': (index) => {
    const rows = index % 5;
    const data = Array.from({ length: rows * 3 }, (_, i) => `${index}:${i}`.repeat(index % 9));
    return { x: tensor('string', [rows, 3], data) };
  },
};

function expected(name: string, { x }: Readonly<Record<string, Tensor>>): Tensor {
  if (name !== 'dynamic-axes') return x!;
  const { dims, data } = x as Tensor<'float32'>;
  return tensor(
    'float32',
    dims,
    data.map((value) => -value),
  );
}

describe('rows', () => {
  for (const [name, make] of Object.entries(requests)) {
    test(`3,000 requests to ${name} each get their own rows`, () =>
      withModel(
        engine,
        name,
        async (model) => {
          const inputs = Array.from({ length: 3000 }, (_, index) => make(index));
          const results = await Promise.all(inputs.map((input) => model.run(input)));
          for (const [index, { outputs, timings }] of results.entries()) {
            assert.deepEqual(outputs, { y: expected(name, inputs[index]!) }, `request ${index}`);
            assert.ok(timings.batchRows <= 32, `a batch of ${timings.batchRows} rows`);
          }
          const { batches, completed, rows } = model.stats();
          assert.deepEqual([completed, rows], [3000, 6000]);
          assert.ok(batches < 3000, `${batches} runs: nothing was batched`);
        },
        { batching: { maxRows: 32, maxQueue: 4096 }, instances: 2 },
      ));
  }

  test('requests to several models at a time get their own rows', async () => {
    const models = await Promise.all(
      Object.keys(requests).map((name) => engine.load({ path: fixture(name) })),
    );
    const names = Object.keys(requests);
    await Promise.all(
      Array.from({ length: 900 }, async (_, index) => {
        const name = names[index % names.length]!;
        const input = requests[name]!(index);
        const { outputs } = await models[index % names.length]!.run(input);
        assert.deepEqual(outputs.y, expected(name, input));
      }),
    );
    await Promise.all(models.map((model) => model.close()));
  });

  test('timings are those of the batch', () => {
    const body = async (model: Model) => {
      const { done } = await occupy(model);
      const queued = [1, 2, 3].map(() => loop(model, 10));
      for (const { timings } of await Promise.all(queued)) {
        assert.deepEqual([timings.batchRequests, timings.batchRows], [3, 3]);
        assert.ok(timings.queueMs > timings.computeMs, JSON.stringify(timings));
      }
      const { timings } = await done;
      assert.deepEqual([timings.batchRequests, timings.batchRows], [1, 1]);
      assert.ok(timings.computeMs > 10 && timings.queueMs < 1000, JSON.stringify(timings));
    };
    return withModel(engine, 'slow-loop', body, unmeasured);
  });
});

describe('limits', () => {
  const limited = (name: string, batching: BatchingOptions, body: (model: Model) => unknown) =>
    withModel(engine, name, body, { batching, ...unmeasured });

  test('a request of more rows than a batch runs in parts', () =>
    limited('identity-float32', { maxRows: 4 }, async (model) => {
      const x = float32(...Array.from({ length: 10 }, (_, row) => [row, row, row]));
      const small = float32([7, 7, 7]);
      const results = await Promise.all([x, small, x, small].map((x) => model.run({ x })));
      for (const [index, { outputs, timings }] of results.entries()) {
        assert.deepEqual(outputs.y, index % 2 === 0 ? x : small);
        if (index % 2 === 0) assert.ok(timings.batchRows <= 4);
      }
    }));

  test('a full queue refuses at once, and accepts requests again later', () =>
    limited('slow-loop', { maxRows: 2, maxQueue: 4 }, async (model) => {
      const { done } = await occupy(model);
      const queued = [1, 2, 3, 4].map(() => loop(model, 10));
      const refusals = Array.from({ length: 50 }, () =>
        refused(loop(model, 10), 'UNAVAILABLE', /queue of model 'slow-loop.onnx' is full/),
      );
      // In the same turn, because on a busy machine the instance may be free before the next one.
      const { queued: waiting, rejected, running } = model.stats();
      assert.deepEqual([waiting, rejected, running], [4, 50, 1]);
      await Promise.all([done, ...queued, ...refusals]);
      await loop(model, 10);
      const { completed, submitted } = model.stats();
      assert.deepEqual([completed, submitted], [6, 6]);
    }));

  test('an incomplete batch waits for maxDelayMs', () =>
    limited('identity-float32', { maxRows: 2, maxDelayMs: 60_000 }, async (model) => {
      const first = model.run({ x: float32([1, 2, 3]) });
      // A run of another model takes longer than any wake-up of an idle instance.
      await withModel(engine, 'slow-loop', (other) => loop(other, 1000));
      assert.equal(model.stats().queued, 1);
      const second = model.run({ x: float32([4, 5, 6]) });
      for (const { timings } of await Promise.all([first, second])) {
        assert.deepEqual([timings.batchRows, timings.batchRequests], [2, 2]);
      }
    }));

  test('an incomplete batch waits no longer than maxDelayMs', () =>
    limited('identity-float32', { maxRows: 2, maxDelayMs: 30 }, async (model) => {
      const { timings } = await model.run({ x: float32([1, 2, 3]) });
      assert.equal(timings.batchRequests, 1);
      assert.ok(timings.queueMs >= 30, `it waited ${timings.queueMs} ms`);
    }));

  test('only requests of equal shapes share a batch', () =>
    limited('dynamic-axes', { maxRows: 64, maxDelayMs: 20 }, async (model) => {
      const widths = [1, 2, 1, 2, 1];
      const runs = widths.map((width) => model.run({ x: float32(Array(width).fill(1)) }));
      const sizes = (await Promise.all(runs)).map(({ timings }) => timings.batchRequests);
      assert.ok(
        sizes.every((count, index) => count <= (widths[index] === 1 ? 3 : 2)),
        `${sizes}`,
      );
    }));
});

describe('a request that fails', () => {
  test('does not fail the other requests of its batch', () =>
    withModel(
      engine,
      'poison',
      async (model) => {
        const bad = new Set([3, 17, 18, 40]);
        const runs = Array.from({ length: 50 }, (_, index) =>
          model.run({ x: float32([bad.has(index) ? 2000 : index, index]) }),
        );
        for (const [index, run] of runs.entries()) {
          if (bad.has(index)) await refused(run, 'INVALID_ARGUMENT');
          else assert.deepEqual((await run).outputs.y, float32([index, index]));
        }
        const { completed, failed, submitted } = model.stats();
        assert.deepEqual(
          { completed, failed, submitted },
          { completed: 46, failed: 4, submitted: 50 },
        );
      },
      { batching: { maxRows: 16 } },
    ));

  test('because of one row does not fail later requests', () =>
    withModel(engine, 'poison', async (model) => {
      await refused(model.run({ x: float32([1, 1], [2000, 1]) }), 'INVALID_ARGUMENT');
      assert.deepEqual((await model.run({ x: float32([1, 1]) })).outputs.y, float32([1, 1]));
    }));

  test('gets a message without file names and addresses', () =>
    withModel(engine, 'poison', async (model) => {
      const { message } = await refused(model.run({ x: float32([2000, 1]) }), 'INVALID_ARGUMENT');
      assert.doesNotMatch(message, /\/\w|0x|\.so|\.cc/);
    }));
});

describe('priority', () => {
  test('requests run by priority, and then by deadline, which is one second by default', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        // Not for as long as a second, even on a busy machine: after that time a request rises by one level.
        const { done } = await occupy(model, 20_000);
        const order: string[] = [];
        const terms = [
          ['late level', { priority: 200 }],
          ['second, long', { priority: 5, timeoutMs: 600_000 }],
          ['second, none, first come', { priority: 5 }],
          ['second, none, last come', { priority: 5 }],
          ['second, short', { priority: 5, timeoutMs: 300_000 }],
          ['default', {}],
          ['last level', { priority: 255 }],
        ] as const;
        const runs = terms.map(([name, options]) =>
          loop(model, 1, options).then(() => order.push(name)),
        );
        await Promise.all([done, ...runs]);
        assert.deepEqual(order, [
          'default',
          'second, none, first come',
          'second, none, last come',
          'second, short',
          'second, long',
          'late level',
          'last level',
        ]);
      },
      { batching: false },
    ));
});
