/** @module Models that are one file: exports of Ultralytics, which say themselves what they do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskOfExport } from '../../../runtime/image/index.ts';

const output = (...dims: number[]) => ({
  name: 'output',
  type: 'float32' as const,
  dims,
  symbols: dims.map(() => ''),
});
const NAMES = { names: "{0: 'cat', 1: 'dog'}", stride: '32' };

for (const [what, metadata, outputs, task] of [
  ['a detector', { task: 'detect' }, [output(1, 6, 8400)], 'object-detection'],
  [
    'a segmenter',
    { task: 'segment' },
    [output(1, 38, 8400), output(1, 32, 160, 160)],
    'image-segmentation',
  ],
  ['a classifier', { task: 'classify' }, [output(1, 2)], 'image-classification'],
  ['a detector of YOLOv5', {}, [output(1, 25_200, 7)], 'object-detection'],
  [
    'a segmenter of YOLOv5',
    {},
    [output(1, 25_200, 39), output(1, 32, 160, 160)],
    'image-segmentation',
  ],
  ['a classifier of YOLOv5', {}, [output(1, 2)], 'image-classification'],
  ['a model of poses', { task: 'pose' }, [output(1, 56, 8400)], undefined],
] as const) {
  test(`${what} has the task ${task ?? 'of tensors'}`, () => {
    const file = { metadata: { ...NAMES, ...metadata }, outputs };
    assert.equal(taskOfExport(file), task);
  });
}

test('a file that is no export says nothing', () => {
  assert.equal(taskOfExport({ metadata: {}, outputs: [output(1, 2)] }), undefined);
  const other = { metadata: { names: 'whatever' }, outputs: [output(1, 2)] };
  assert.equal(taskOfExport(other), undefined);
});
