/** @module Requests larger than a batch, which run in parts. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type {
  BatchingOptions,
  ElementData,
  ElementType,
  LoadOptions,
  Model,
  RunOptions,
  Tensor,
  Tensors,
} from '../../native/index.ts';
import { fixture, float32, loop, open, refused, tensor, until, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const MAX_ROWS = 8;

/** Runs `body` with a model that runs at most 8 rows at a time. */
const inParts = (
  name: string,
  body: (model: Model) => unknown,
  batching: BatchingOptions = {},
  options: LoadOptions = {},
) => withModel(engine, name, body, { batching: { maxRows: MAX_ROWS, ...batching }, ...options });

/** `rows` rows of three numbers, all of them different. */
function counting(rows: number, from = 0): Tensor<'float32'> {
  return tensor(
    'float32',
    [rows, 3],
    Float32Array.from({ length: rows * 3 }, (_, index) => from + index),
  );
}

/** A request of `rows` loops, one for each run: the model must be loaded with `maxRows: 1`. */
function loops(model: Model, rows: number, turns: number, options?: RunOptions) {
  const iterations = tensor('int64', [rows, 1], new BigInt64Array(rows).fill(BigInt(turns)));
  return model.run({ iterations }, options);
}

const oneByOne = { maxRows: 1 };
const idle = (model: Model) => until(() => model.stats().queued + model.stats().running === 0);

/** Twenty rows of three elements of each type. */
const values: { readonly [T in ElementType]: () => ElementData[T] } = {
  float32: () => Float32Array.from({ length: 60 }, (_, i) => i / 4),
  float64: () => Float64Array.from({ length: 60 }, (_, i) => i / 3),
  float16: () => Uint16Array.from({ length: 60 }, (_, i) => 0x3c00 + i),
  bfloat16: () => Uint16Array.from({ length: 60 }, (_, i) => 0x3f80 + i),
  int8: () => Int8Array.from({ length: 60 }, (_, i) => i - 30),
  int16: () => Int16Array.from({ length: 60 }, (_, i) => 500 * i - 9000),
  int32: () => Int32Array.from({ length: 60 }, (_, i) => 1e6 * i),
  int64: () => BigInt64Array.from({ length: 60 }, (_, i) => 1n << BigInt(i)),
  uint8: () => Uint8Array.from({ length: 60 }, (_, i) => 4 * i),
  uint16: () => Uint16Array.from({ length: 60 }, (_, i) => 1000 * i),
  uint32: () => Uint32Array.from({ length: 60 }, (_, i) => 7e7 * i),
  uint64: () => BigUint64Array.from({ length: 60 }, (_, i) => 1n << BigInt(i)),
  bool: () => Uint8Array.from({ length: 60 }, (_, i) => (i % 7) % 2),
  string: () => Array.from({ length: 60 }, (_, i) => `text ${i} ${'é'.repeat(i)}`),
};

describe('the output', () => {
  for (const rows of [7, 8, 9, 16, 17, 100, 1000]) {
    test(`has all ${rows} rows in order`, () =>
      inParts('identity-float32', async (model) => {
        const x = counting(rows);
        const { outputs, timings } = await model.run({ x });
        assert.deepEqual(outputs, { y: x });
        assert.ok(timings.batchRows >= 1 && timings.batchRows <= MAX_ROWS);
        assert.ok(timings.queueMs >= 0 && timings.computeMs >= 0);
        assert.equal(model.stats().submitted, Math.ceil(rows / MAX_ROWS));
        assert.equal(model.stats().rows, rows);
      }));
  }

  for (const type of Object.keys(values) as ElementType[]) {
    test(`keeps elements of type ${type}`, () =>
      inParts(`identity-${type}`, async (model) => {
        const x = tensor(type, [20, 3], values[type]());
        assert.deepEqual((await model.run({ x })).outputs, { y: x });
      }));
  }

  test('may come from several inputs and have several outputs', () =>
    inParts('two-in-two-out', async (model) => {
      const numbers = Array.from({ length: 50 }, (_, row) => row);
      const inputs = {
        a: float32(...numbers.map((row) => [row, row / 2])),
        b: tensor(
          'int64',
          [50, 2],
          BigInt64Array.from(numbers.flatMap((row) => [BigInt(row), 3n])),
        ),
      };
      const { outputs } = await model.run(inputs);
      assert.deepEqual(outputs.sum, float32(...numbers.map((row) => [2 * row, row / 2 + 3])));
      const products = BigInt64Array.from(numbers, (row) => BigInt(3 * row));
      assert.deepEqual(outputs.product, tensor('int64', [50, 1], products));

      const some = await model.run(inputs, { outputs: ['product'] });
      assert.deepEqual(Object.keys(some.outputs), ['product']);
      assert.deepEqual((await model.run(inputs, { outputs: [] })).outputs, {});
    }));

  test('may have rows without elements', () =>
    inParts('zero-width', async (model) => {
      const x = tensor('float32', [50, 0], new Float32Array());
      assert.deepEqual((await model.run({ x })).outputs, { y: x });
    }));

  test('is right for views of larger memory', () =>
    inParts('identity-float32', async (model) => {
      const data = Float32Array.from({ length: 100 }, (_, index) => index).subarray(10, 70);
      const { outputs } = await model.run({ x: tensor('float32', [20, 3], data) });
      assert.deepEqual(outputs.y!.data, data.slice());
    }));

  test('is each request’s own, large and small at once, on several instances', () =>
    inParts(
      'identity-float32',
      async (model) => {
        const requests = Array.from({ length: 60 }, (_, index) =>
          counting(index % 3 === 0 ? 50 + index : 1 + (index % 8), 1000 * index),
        );
        const results = await Promise.all(requests.map((x) => model.run({ x })));
        for (const [index, { outputs }] of results.entries()) {
          assert.deepEqual(outputs.y, requests[index]);
        }
      },
      { maxQueue: 4096 },
      { instances: 3 },
    ));

  for (const name of ['cross-row', 'identity-float32']) {
    test(`comes from one run if ${name} is not batched`, () =>
      withModel(
        engine,
        name,
        async (model) => {
          const { outputs, timings } = await model.run({ x: counting(100) });
          assert.deepEqual(outputs.y!.dims, [100, 3]);
          assert.equal(timings.batchRequests, 1);
          assert.equal(model.stats().batches, 1);
        },
        { batching: false },
      ));
  }
});

describe('transfer', () => {
  test('takes large inputs over once and leaves small ones', () =>
    inParts('two-in-two-out', async (model) => {
      const rows = 10_000;
      const a = new Float32Array(rows * 2).fill(1);
      const b = new BigInt64Array(rows * 2).fill(2n);
      const inputs = { a: tensor('float32', [rows, 2], a), b: tensor('int64', [rows, 2], b) };
      const { outputs } = await model.run(inputs, { transfer: true });
      assert.deepEqual([a.byteLength, b.byteLength], [0, 0]);
      assert.ok((outputs.sum!.data as Float32Array).every((value) => value === 3));
      assert.ok((outputs.product!.data as BigInt64Array).every((value) => value === 4n));

      const small = counting(20);
      await refused(model.run({ a: small, b: small }, { transfer: true }), 'INVALID_ARGUMENT');
      assert.equal(small.data.length, 60);
    }));

  test('takes no memory over if the request is refused', () =>
    inParts(
      'identity-float32',
      async (model) => {
        const x = counting(10_000);
        await refused(model.run({ x }, { transfer: true }), 'INVALID_ARGUMENT', /at most 9999/);
        assert.equal(x.data.length, 30_000);
      },
      { maxRequestRows: 9999 },
    ));

  test('without transfer the inputs stay as they are', () =>
    inParts('identity-float32', async (model) => {
      const x = counting(10_000);
      const { outputs } = await model.run({ x });
      assert.deepEqual(outputs.y, counting(10_000));
      assert.deepEqual(x, counting(10_000));
    }));
});

describe('a part that fails', () => {
  for (const bad of [0, 500, 999]) {
    test(`rejects the whole request: row ${bad} of 1,000`, () =>
      inParts('poison', async (model) => {
        const data = new Float32Array(2000);
        data[2 * bad] = 2000;
        await refused(model.run({ x: tensor('float32', [1000, 2], data) }), 'INVALID_ARGUMENT');
        await idle(model);
        const { submitted, completed, failed, cancelled } = model.stats();
        assert.equal(failed, 1);
        assert.equal(submitted, completed + failed + cancelled);
        // There are 125 parts in order: those behind the failure are not submitted any more.
        const most = Math.floor(bad / MAX_ROWS) + 2 * (model.instances + 1);
        assert.ok(submitted <= most, `${submitted} parts`);
        const x = float32(...Array.from({ length: 20 }, (_, row) => [row, row]));
        assert.deepEqual((await model.run({ x })).outputs.y, x, 'the model goes on');
      }));
  }
});

describe('options apply to the whole request', () => {
  test('a deadline rejects the whole request', () =>
    inParts(
      'slow-loop',
      async (model) => {
        const started = performance.now();
        await refused(loops(model, 100, 20_000, { timeoutMs: 100 }), 'DEADLINE_EXCEEDED');
        const took = performance.now() - started;
        assert.ok(took < 1000, `rejected after ${took} ms`);
        await idle(model);
        assert.ok(model.stats().submitted < 50, `${model.stats().submitted} parts`);
        await loop(model, 1);
      },
      oneByOne,
      { instances: 1, warmupMs: 0 },
    ));

  test('a deadline that is long enough has no effect', () =>
    inParts(
      'slow-loop',
      async (model) => {
        const { outputs } = await loops(model, 10, 1000, { timeoutMs: 60_000 });
        assert.deepEqual(outputs.turns!.dims, [10, 1]);
      },
      oneByOne,
    ));

  test('an abort rejects the whole request', () =>
    inParts(
      'slow-loop',
      async (model) => {
        const controller = new AbortController();
        const run = loops(model, 100, 20_000, { signal: controller.signal });
        await until(() => model.stats().completed > 0);
        const reason = { why: 'the caller left' };
        controller.abort(reason);
        await assert.rejects(run, reason);
        await idle(model);
        assert.ok(model.stats().submitted < 50, `${model.stats().submitted} parts`);
        await loop(model, 1);
      },
      oneByOne,
      { instances: 1 },
    ));

  test('an abort before the call rejects it', () =>
    inParts('identity-float32', async (model) => {
      const reason = { why: 'the caller left' };
      const signal = AbortSignal.abort(reason);
      await assert.rejects(model.run({ x: counting(100) }, { signal }), reason);
      assert.equal(model.stats().submitted, 0);
    }));

  test('a signal that never fires has no effect', () =>
    inParts('identity-float32', async (model) => {
      const { signal } = new AbortController();
      const x = counting(100);
      assert.deepEqual((await model.run({ x }, { signal })).outputs.y, x);
    }));

  for (const options of [
    { timeoutMs: -1 },
    { timeoutMs: Number.NaN },
    { priority: 256 },
    { outputs: ['absent'] },
  ]) {
    test(`invalid ones are refused: ${JSON.stringify(options)}`, () =>
      inParts('identity-float32', (model) =>
        refused(model.run({ x: counting(100) }, options), 'INVALID_ARGUMENT'),
      ));
  }
});

describe('the queue', () => {
  test('may be shorter than the request has parts', () =>
    inParts(
      'identity-float32',
      async (model) => {
        const x = counting(1000);
        assert.deepEqual((await model.run({ x })).outputs.y, x);
      },
      { maxQueue: 1 },
      { instances: 3 },
    ));

  test('that is full refuses the request', () =>
    inParts(
      'slow-loop',
      async (model) => {
        const busy = loop(model, 150_000);
        await until(() => model.stats().running === 1);
        const queued = loop(model, 1);
        const error = await refused(loops(model, 20, 1), 'UNAVAILABLE');
        assert.ok(error.retryAfterMs! > 0);
        await Promise.all([busy, queued]);
      },
      { ...oneByOne, maxQueue: 1 },
      { instances: 1 },
    ));

  test('close completes the whole request first', async () => {
    const model = await engine.load({
      path: fixture('slow-loop'),
      batching: oneByOne,
    });
    const run = loops(model, 30, 1000);
    const closing = model.close();
    assert.deepEqual((await run).outputs.turns!.dims, [30, 1]);
    await closing;
    await refused(loops(model, 30, 1000), 'FAILED_PRECONDITION');
  });
});

describe('maxRequestRows', () => {
  for (const [most, maxRows] of [
    [100, MAX_ROWS],
    [8, MAX_ROWS],
    [5, MAX_ROWS],
    [1, 1],
  ] as const) {
    test(`of ${most} is the limit, in runs of at most ${maxRows} rows`, () =>
      inParts(
        'identity-float32',
        async (model) => {
          await model.run({ x: counting(most) });
          const run = model.run({ x: counting(most + 1) });
          const sentence = `has ${most + 1} rows, but .* takes at most ${most}: send it in parts`;
          await refused(run, 'INVALID_ARGUMENT', new RegExp(sentence));
        },
        { maxRequestRows: most, maxRows },
      ));
  }

  test('is 65,536 unless set', () =>
    inParts('zero-width', async (model) => {
      const rows = (count: number) => ({ x: tensor('float32', [count, 0], new Float32Array()) });
      await refused(model.run(rows(65_537)), 'INVALID_ARGUMENT', /at most 65536/);
    }));

  for (const maxRequestRows of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1]) {
    test(`${maxRequestRows} is refused`, async () => {
      const load = inParts('identity-float32', () => {}, { maxRequestRows });
      await refused(load, 'INVALID_ARGUMENT', /batching.maxRequestRows is/);
    });
  }
});

/** Inputs of 100 rows that do not fit the signature. */
const wrong: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'too few numbers': { x: { ...counting(100), data: new Float32Array(299) } },
  'too many numbers': { x: { ...counting(100), data: new Float32Array(301) } },
  'no data': { x: { ...counting(100), data: undefined } },
  'a plain array': { x: { ...counting(100), data: Array.from({ length: 300 }, () => 1) } },
  'a DataView': { x: { ...counting(100), data: new DataView(new ArrayBuffer(1200)) } },
  'another type': { x: tensor('float64', [100, 3], new Float64Array(300)) },
  'another width': { x: tensor('float32', [100, 2], new Float32Array(200)) },
  'a missing dimension': { x: tensor('float32', [100], new Float32Array(100)) },
  'a bigint for rows': { x: { ...counting(100), dims: [100n, 3] } },
  'a bigint for the width': { x: { ...counting(100), dims: [100, 3n] } },
  'a string for rows': { x: { ...counting(100), dims: ['100', 3] } },
  'half a row': { x: { ...counting(100), dims: [99.5, 3] } },
  'infinitely many rows': { x: { ...counting(100), dims: [Number.POSITIVE_INFINITY, 3] } },
  'more rows than there can be': { x: { ...counting(100), dims: [2 ** 60, 3] } },
  'an additional input': { x: counting(100), z: counting(100) },
  'an additional null': { x: counting(100), z: null },
};

describe('a large request is refused for', () => {
  for (const [what, inputs] of Object.entries(wrong)) {
    test(what, () =>
      inParts('identity-float32', async (model) => {
        await refused(model.run(inputs as Tensors), 'INVALID_ARGUMENT');
        await model.run({ x: counting(100) });
      }),
    );
  }

  for (const [what, b] of Object.entries({
    'other rows': tensor('int64', [99, 2], new BigInt64Array(198)),
    'no rows': tensor('int64', [], BigInt64Array.of(1n)),
    'nothing at all': undefined,
  })) {
    test(`a second input with ${what}`, () =>
      inParts('two-in-two-out', async (model) => {
        const a = tensor('float32', [100, 2], new Float32Array(200));
        await refused(model.run({ a, b } as unknown as Tensors), 'INVALID_ARGUMENT');
      }));
  }

  test('strings with another value among them', () =>
    inParts('identity-string', async (model) => {
      const data = Array.from({ length: 300 }, (_, index) => (index === 250 ? 1 : 'a'));
      const x = tensor('string', [100, 3], data as string[]);
      await refused(model.run({ x }), 'INVALID_ARGUMENT');
    }));
});
