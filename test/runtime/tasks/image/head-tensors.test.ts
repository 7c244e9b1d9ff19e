/** @module Outputs of one image as heads read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '../../../../native/index.ts';
import { headTensors } from '../../../../runtime/tasks/image/head-tensors.ts';
import { refused } from '../text/support.ts';

const boxes: Tensor = {
  type: 'float32',
  dims: [2, 4],
  data: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7),
};
const scores: Tensor = { type: 'float32', dims: [2], data: Float32Array.of(0.5, 0.25) };

test('lists without a dimension of rows are as they are, and numbers of classes become floats', () => {
  const labels: Tensor = { type: 'int64', dims: [2], data: BigInt64Array.of(1n, 90n) };
  const outputs = { scores, labels, boxes };
  const [first, second, third] = headTensors('listed', ['boxes', 'scores', 'labels'], { outputs });
  assert.equal(first!.data, boxes.data);
  assert.deepEqual(second, { data: scores.data, dims: [2] });
  assert.deepEqual(third, { data: Float32Array.of(1, 90), dims: [2] });
});

test('the dimension of rows is left out', () => {
  const rows = { ...boxes, dims: [1, 2, 4] } as Tensor;
  const [only] = headTensors('yolo', ['rows'], { outputs: { rows } });
  assert.deepEqual(only!.dims, [2, 4]);
});

test('one box is not taken for one row', () => {
  const one: Tensor = { type: 'float32', dims: [1, 4], data: new Float32Array(4) };
  const score: Tensor = { type: 'float32', dims: [1], data: new Float32Array(1) };
  const found = headTensors('listed', ['a', 'b', 'c'], { outputs: { a: one, b: score, c: score } });
  assert.deepEqual(
    found.map(({ dims }) => dims),
    [[1, 4], [1], [1]],
  );
});

test('half floats and doubles become floats', () => {
  const half: Tensor = { type: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0xc100) };
  const double: Tensor = { type: 'float64', dims: [1, 2], data: Float64Array.of(0.5, -8) };
  const [first, second] = headTensors('detr', ['half', 'double'], { outputs: { half, double } });
  assert.deepEqual(first!.data, Float32Array.of(1, -2.5));
  assert.deepEqual(second!.data, Float32Array.of(0.5, -8));
});

test('an output of another shape or type is refused with what was expected', () => {
  const two = { ...boxes, dims: [2, 1, 4] } as Tensor;
  assert.throws(
    () => headTensors('yolo', ['two'], { outputs: { two } }),
    refused('INTERNAL', /'two' of the model has the shape \[2,1,4\].*reads 2 dimensions/),
  );
  const names: Tensor = { type: 'string', dims: [2], data: ['a', 'b'] };
  assert.throws(
    () =>
      headTensors('listed', ['boxes', 'scores', 'names'], { outputs: { boxes, scores, names } }),
    refused('INTERNAL', /'names' of the model is of the type string.*export the model again/),
  );
});
