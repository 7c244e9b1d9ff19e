/** @module Every element type and shape comes back exactly as it went in. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { ElementData, ElementType, Tensor } from '../../native/index.ts';
import { fixture, open, tensor, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

/** Six elements of each type, the extremes among them. */
const extremes: { readonly [T in ElementType]: ElementData[T] } = {
  float32: Float32Array.of(Number.NaN, -0, Infinity, -Infinity, 1.401298464324817e-45, 3.4e38),
  float64: Float64Array.of(Number.NaN, -0, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE),
  // Zero, minus zero, infinity, a NaN, the least subnormal number, the greatest number.
  float16: Uint16Array.of(0, 0x8000, 0x7c00, 0x7e01, 0x0001, 0x7bff),
  bfloat16: Uint16Array.of(0, 0x8000, 0x7f80, 0x7fc1, 0x0001, 0x7f7f),
  int8: Int8Array.of(-128, 127, 0, -1, 1, 2),
  int16: Int16Array.of(-32768, 32767, 0, -1, 1, 2),
  int32: Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, -1, 1, 2),
  int64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n, 2n),
  uint8: Uint8Array.of(255, 128, 0, 1, 2, 3),
  uint16: Uint16Array.of(65535, 32768, 0, 1, 2, 3),
  uint32: Uint32Array.of(2 ** 32 - 1, 2 ** 31, 0, 1, 2, 3),
  uint64: BigUint64Array.of(2n ** 64n - 1n, 2n ** 63n, 0n, 1n, 2n ** 53n + 1n, 3n),
  bool: Uint8Array.of(0, 1, 1, 0, 0, 1),
  string: ['', '\0', 'a\0b\0', '😀 é 漢', 'x'.repeat(2 ** 20), '\u{10ffff}'],
};
const types = Object.keys(extremes) as ElementType[];

/** The bytes of a tensor, because most comparisons take NaN and -0 for equal to other values. */
function bytes({ data }: Tensor): unknown {
  if (!ArrayBuffer.isView(data)) return data;
  return [data.constructor.name, ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

describe('element types', () => {
  for (const type of types) {
    test(`${type} comes back bit for bit`, () =>
      withModel(engine, `identity-${type}`, async (model) => {
        assert.equal(model.signature.inputs[0]?.type, type);
        const x = tensor(type, [2, 3], extremes[type]);
        const { y } = (await model.run({ x })).outputs;
        assert.deepEqual({ ...y, data: 0 }, { type, dims: [2, 3], data: 0 });
        assert.deepEqual(bytes(y!), bytes(x));
      }));

    test(`${type} rows of many requests in one run return to their own request`, () =>
      withModel(engine, `identity-${type}`, async (model) => {
        const halves = [0, 3].map((from) =>
          tensor(type, [1, 3], extremes[type].slice(from, from + 3) as ElementData[typeof type]),
        );
        const rows = Array.from({ length: 40 }, (_, index) => halves[index % 2]!);
        const results = await Promise.all(rows.map((x) => model.run({ x })));
        const sizes = results.map(({ timings }) => timings.batchRequests);
        assert.ok(Math.max(...sizes) > 1, `no two requests shared a batch: ${sizes}`);
        assert.deepEqual(
          results.map(({ outputs }) => bytes(outputs.y!)),
          rows.map(bytes),
        );
      }));

    test(`${type} inputs without rows have outputs without rows`, () =>
      withModel(engine, `identity-${type}`, async (model) => {
        const x = tensor(type, [0, 3], extremes[type].slice(0, 0) as ElementData[typeof type]);
        const { y } = (await model.run({ x })).outputs;
        assert.deepEqual([y?.type, y?.dims, y?.data.length], [type, [0, 3], 0]);
      }));
  }

  test('a bool is 0 or 1 inside the model, whatever byte the input has', () =>
    withModel(engine, 'identity-bool', async (model) => {
      const x = tensor('bool', [2, 3], Uint8Array.of(0, 1, 2, 255, 128, 0));
      const { y } = (await model.run({ x })).outputs;
      assert.deepEqual([...y!.data], [0, 1, 1, 1, 1, 0]);
      assert.deepEqual([...x.data], [0, 1, 2, 255, 128, 0], 'the caller’s array is untouched');
    }));

  test('half a surrogate pair becomes the replacement character', () =>
    withModel(engine, 'identity-string', async (model) => {
      const { y } = (await model.run({ x: tensor('string', [1, 3], ['\ud800', 'a\udc00', 'b']) }))
        .outputs;
      assert.deepEqual(y?.data, ['\ufffd', 'a\ufffd', 'b']);
    }));

  test('ten thousand strings in one tensor come back', () =>
    withModel(engine, 'identity-string', async (model) => {
      const data = Array.from({ length: 30_000 }, (_, index) => `element ${index}`);
      const { y } = (await model.run({ x: tensor('string', [10_000, 3], data) })).outputs;
      assert.deepEqual(y?.data, data);
    }));
});

describe('shapes', () => {
  test('a scalar has no dimensions', () =>
    withModel(engine, 'scalar', async (model) => {
      assert.deepEqual(model.signature.inputs[0]?.dims, []);
      const { y } = (await model.run({ x: tensor('float32', [], Float32Array.of(2.5)) })).outputs;
      assert.deepEqual(y, tensor('float32', [], Float32Array.of(-2.5)));
    }));

  test('rows without elements keep their number', () =>
    withModel(engine, 'zero-width', async (model) => {
      const sizes = [1, 0, 7, 2];
      const results = await Promise.all(
        sizes.map((rows) => model.run({ x: tensor('float32', [rows, 0], new Float32Array()) })),
      );
      assert.deepEqual(
        results.map(({ outputs }) => outputs.y?.dims),
        sizes.map((rows) => [rows, 0]),
      );
    }));

  test('a model without inputs runs', () =>
    withModel(engine, 'no-input', async (model) => {
      const { outputs } = await model.run({});
      assert.deepEqual(outputs, { y: tensor('float32', [3], Float32Array.of(1, 2, 3)) });
    }));

  test('dynamic axes take any size', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      assert.deepEqual(model.signature.inputs[0]?.dims, [-1, -1]);
      assert.deepEqual(model.signature.inputs[0]?.symbols, ['N', 'L']);
      const shapes = [
        [1, 1],
        [3, 5],
        [2, 0],
        [0, 4],
        [1, 1000],
      ] as const;
      const inputs = shapes.map(([rows, width]) =>
        tensor('float32', [rows, width], new Float32Array(rows * width).fill(width)),
      );
      const results = await Promise.all(inputs.map((x) => model.run({ x })));
      for (const [index, { outputs }] of results.entries()) {
        const { dims, data } = inputs[index]!;
        assert.deepEqual(
          outputs.y,
          tensor(
            'float32',
            dims,
            data.map((value) => -value),
          ),
        );
      }
    }));

  test('dimensions without a name have empty symbols', () =>
    withModel(engine, 'unnamed-dims', (model) => {
      const [x] = model.signature.inputs;
      assert.deepEqual(
        [x?.dims, x?.symbols],
        [
          [-1, -1],
          ['', ''],
        ],
      );
    }));

  test('a model may have several inputs and outputs of several types', () =>
    withModel(engine, 'two-in-two-out', async (model) => {
      assert.deepEqual(
        model.signature.outputs.map(({ name, type }) => [name, type]),
        [
          ['sum', 'float32'],
          ['product', 'int64'],
        ],
      );
      const a = tensor('float32', [2, 2], Float32Array.of(0.5, 1, 1.5, 2));
      const b = tensor('int64', [2, 2], BigInt64Array.of(1n, 2n, 3n, -4n));
      const sum = tensor('float32', [2, 2], Float32Array.of(1.5, 3, 4.5, -2));
      const product = tensor('int64', [2, 1], BigInt64Array.of(2n, -12n));
      // The inputs may have any order, because they are bound by name.
      assert.deepEqual((await model.run({ b, a })).outputs, { sum, product });
      assert.deepEqual((await model.run({ a, b }, { outputs: ['product'] })).outputs, { product });
      assert.deepEqual((await model.run({ a, b }, { outputs: [] })).outputs, {});
      assert.deepEqual(
        Object.keys((await model.run({ a, b }, { outputs: ['product', 'sum'] })).outputs).sort(),
        ['product', 'sum'],
      );
    }));

  test('large inputs and outputs come back whole', () =>
    withModel(engine, 'reduce-mean-image', async (model) => {
      const size = 3 * 224 * 224;
      const data = new Float32Array(2 * size).fill(3, size);
      const { y } = (await model.run({ x: tensor('float32', [2, 3, 224, 224], data) })).outputs;
      assert.deepEqual(y, tensor('float32', [2], Float32Array.of(0, 3)));
    }));

  test('an output outlives the model and later outputs', async () => {
    const model = await engine.load({ path: fixture('dynamic-axes') });
    const runs = Array.from({ length: 50 }, (_, index) =>
      model.run({ x: tensor('float32', [2, 400], new Float32Array(800).fill(index)) }),
    );
    const results = await Promise.all(runs);
    await model.close();
    for (const [index, { outputs }] of results.entries()) {
      assert.ok((outputs.y!.data as Float32Array).every((value) => value === -index));
    }
  });
});
