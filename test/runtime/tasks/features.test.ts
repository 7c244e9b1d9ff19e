import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ElementType } from '../../../native/tensor-types.ts';
import type { TensorSpec } from '../../../native/types.ts';
import { featureInput, featureTensors } from '../../../runtime/tasks/tabular/features.ts';

const spec = (dims: readonly number[], type: ElementType = 'float32'): TensorSpec => ({
  name: 'x',
  type,
  dims,
  symbols: dims.map(() => ''),
});
const input = (dims: readonly number[], type?: ElementType, features: string[] = []) =>
  featureInput(spec(dims, type), features, false);
const tensor = (dims: readonly number[], features: readonly unknown[], type?: ElementType) =>
  featureTensors(input(dims, type), features, true)[0]!;

describe('featureTensors', () => {
  test('makes one tensor of one row', () => {
    assert.deepEqual(tensor([-1, 3], [1, 2, 3]), {
      type: 'float32',
      dims: [1, 3],
      data: Float32Array.of(1, 2, 3),
    });
  });

  test('makes one tensor of many rows', () => {
    const { dims, data } = tensor(
      [-1, 2],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    );
    assert.deepEqual(dims, [3, 2]);
    assert.deepEqual(data, Float32Array.of(1, 2, 3, 4, 5, 6));
  });

  test('folds a row into the shape of the model', () => {
    assert.deepEqual(tensor([-1, 2, 2], [1, 2, 3, 4]).dims, [1, 2, 2]);
    assert.deepEqual(tensor([-1], [1]).dims, [1]);
    assert.deepEqual(tensor([-1], [[1], [2]]).dims, [2]);
  });

  test('takes rows of any width if the model leaves it open, but of one width for all rows', () => {
    assert.deepEqual(tensor([-1, -1], [1, 2, 3]).dims, [1, 3]);
    assert.deepEqual(
      tensor(
        [-1, -1],
        [
          [1, 2],
          [3, 4],
        ],
      ).dims,
      [2, 2],
    );
    assert.throws(
      () => tensor([-1, -1], [[1, 2], [3]]),
      /^ServeError: features\[1\] has 1 value, expected 2\.$/,
    );
    assert.throws(() => tensor([-1, -1], []), /features has 0 values, expected at least 1/);
  });

  test('makes one tensor for each row if the model takes one row', () => {
    const two = [
      [1, 2],
      [3, 4],
    ];
    const tensors = featureTensors(input([1, 2]), two, false);
    assert.deepEqual(
      tensors.map(({ dims }) => dims),
      [
        [1, 2],
        [1, 2],
      ],
    );
    const rows = Array.from({ length: 257 }, () => [1, 2]);
    assert.throws(() => featureTensors(input([1, 2]), rows, false), /257 rows.*at most 256/);
  });

  for (const [type, value, stored] of [
    ['float64', 0.1, Float64Array.of(0.1)],
    ['int8', -128, Int8Array.of(-128)],
    ['int16', 32767, Int16Array.of(32767)],
    ['int32', 7, Int32Array.of(7)],
    ['uint8', 255, Uint8Array.of(255)],
    ['uint16', 65535, Uint16Array.of(65535)],
    ['uint32', 4294967295, Uint32Array.of(4294967295)],
    ['int64', -5, BigInt64Array.of(-5n)],
    ['uint64', 5, BigUint64Array.of(5n)],
    ['bool', true, Uint8Array.of(1)],
    ['string', 'a', ['a']],
    ['float16', 65504, Uint16Array.of(0x7bff)],
    ['bfloat16', -1, Uint16Array.of(0xbf80)],
    ['float32', 3.4028235e38, Float32Array.of(3.4028234663852886e38)],
  ] as const) {
    test(`stores ${type}`, () => assert.deepEqual(tensor([-1, 1], [value], type).data, stored));
  }

  for (const [type, value, message] of [
    ['float32', 1e39, /must be a finite number that fits float32, got 1e\+39/],
    ['float32', Number.POSITIVE_INFINITY, /got a number out of range/],
    ['float32', Number.NaN, /got a number out of range/],
    ['float32', null, /got null/],
    ['float32', '1', /got a string/],
    ['float32', {}, /got an object/],
    ['float32', [1], /has 1 value|got a list/],
    ['float64', Number.POSITIVE_INFINITY, /must be a finite number/],
    ['float16', 65520, /finite number that fits float16, got 65520/],
    ['bfloat16', 3.4e38, /finite number that fits bfloat16/],
    ['int8', 128, /an integer from -128 to 127 \(int8\), got 128/],
    ['int32', 1.5, /an integer from .*got 1.5/],
    ['int64', 2 ** 53, /an integer from/],
    ['uint64', -1, /an integer from 0/],
    ['bool', 1, /must be true or false, got 1/],
    ['string', 1, /must be a string, got 1/],
  ] as const) {
    test(`refuses ${JSON.stringify(value)} as ${type}`, () => {
      assert.throws(() => tensor([-1, 2], [value === null ? null : value, value], type), message);
    });
  }

  test('throws errors that say where the wrong value is, with the name of its feature', () => {
    const named = input([-1, 2], 'float32', ['age', 'size']);
    assert.throws(
      () =>
        featureTensors(
          named,
          [
            [1, 2],
            [3, 'x'],
          ],
          true,
        ),
      /^ServeError: features\[1\]\[1\] \(size\) must be/,
    );
    assert.throws(
      () => featureTensors(named, [1], true),
      /features has 1 value, expected 2 \(age, size\)/,
    );
    assert.throws(
      () => featureTensors(named, [[1, 2], 3], true),
      /features\[1\] must be a list like the rows before it, got 3/,
    );
  });
});

describe('featureInput', () => {
  test('throws an error with the reason if rows of features do not fit the model', () => {
    assert.throws(() => input([]), /is a scalar/);
    assert.throws(() => input([4, 2]), /takes exactly 4 rows/);
    assert.throws(() => input([-1, -1, 3]), /leaves the shape of a row open/);
    assert.throws(() => input([-1, 2], 'float32', ['a']), /"features" names 1 values, a row has 2/);
  });
});
