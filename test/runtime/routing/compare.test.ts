import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packStrings, type RunResult, type Tensor, type Tensors } from '../../../native/index.ts';
import type { ModelVersion } from '../../../runtime/model.ts';
import { type Answer, compareAnswers } from '../../../runtime/routing/compare.ts';
import { copyTensors, shownElements, sizeOf } from '../../../runtime/routing/tensors.ts';

const timings = { queueMs: 0, computeMs: 0, batchRows: 1, batchRequests: 1 };
const floats = (...data: number[]): Tensor => table([data]);
const table = (rows: readonly (readonly number[])[]): Tensor => ({
  type: 'float32',
  dims: [rows.length, rows[0]!.length],
  data: Float32Array.from(rows.flat()),
});
const strings = (...data: string[]): Tensor => ({ type: 'string', dims: [data.length], data });

/** The outputs of a version, one object for each run. */
function answer(
  runs: Record<string, Tensor> | readonly Record<string, Tensor>[],
  { task = 'raw', labels = {} }: { task?: string; labels?: Record<string, string[]> } = {},
  packedStrings?: RunResult['packedStrings'],
): Answer {
  const all = Array.isArray(runs) ? runs : [runs];
  return {
    version: { task: { name: task }, labels } as unknown as ModelVersion,
    results: all.map((outputs) => ({
      outputs,
      timings,
      ...(packedStrings === undefined ? {} : { packedStrings }),
    })),
  };
}

const classifier = { task: 'classification' };
const half = (bits: number): Tensor => ({ type: 'float16', dims: [1], data: Uint16Array.of(bits) });
const wide = (value: bigint): Tensor => ({
  type: 'int64',
  dims: [1],
  data: BigInt64Array.of(value),
});

for (const [what, own, other, agrees, difference, tolerance] of [
  ['equal numbers', answer({ y: floats(1, 2) }), answer({ y: floats(1, 2) }), true, 0],
  [
    'numbers within the usual tolerance',
    answer({ y: floats(1) }),
    answer({ y: floats(1 + 2 ** -14) }),
    true,
    2 ** -14,
  ],
  ['numbers beyond it', answer({ y: floats(1, 5) }), answer({ y: floats(1, 5.5) }), false, 0.5],
  [
    'numbers within the tolerance of the route',
    answer({ y: floats(1) }),
    answer({ y: floats(1.5) }),
    true,
    0.5,
    0.5,
  ],
  [
    'numbers that must be equal',
    answer({ y: floats(1) }),
    answer({ y: floats(1 + 2 ** -14) }),
    false,
    2 ** -14,
    0,
  ],
  [
    'NaN on both sides',
    answer({ y: floats(Number.NaN, 1) }),
    answer({ y: floats(Number.NaN, 1) }),
    true,
    0,
  ],
  [
    'NaN on one side',
    answer({ y: floats(Number.NaN) }),
    answer({ y: floats(1) }),
    false,
    undefined,
  ],
  ['infinities', answer({ y: floats(Infinity, -0) }), answer({ y: floats(Infinity, 0) }), true, 0],
  [
    'opposite infinities',
    answer({ y: floats(Infinity) }),
    answer({ y: floats(-Infinity) }),
    false,
    undefined,
  ],
  ['halves', answer({ y: half(0x3c00) }), answer({ y: half(0x4000) }), false, 1],
  ['64-bit integers', answer({ y: wide(7n) }), answer({ y: wide(9n) }), false, 2],
  [
    'an integer and a float of equal value',
    answer({ y: wide(7n) }),
    answer({ y: { ...floats(7), dims: [1] } as Tensor }),
    true,
    0,
  ],
  [
    'another shape',
    answer({ y: floats(1, 2) }),
    answer({ y: table([[1], [2]]) }),
    false,
    undefined,
  ],
  ['equal strings', answer({ y: strings('a', 'b') }), answer({ y: strings('a', 'b') }), true, 0],
  [
    'other strings',
    answer({ y: strings('a', 'b') }),
    answer({ y: strings('a', 'c') }),
    false,
    undefined,
  ],
  [
    'strings and numbers',
    answer({ y: strings('1') }),
    answer({ y: { ...floats(1), dims: [1] } as Tensor }),
    false,
    undefined,
  ],
  [
    'outputs of other names, by their place',
    answer({ a: floats(1), b: floats(2) }),
    answer({ c: floats(1), d: floats(3) }),
    false,
    1,
  ],
  [
    'an output that is missing',
    answer({ a: floats(1), b: floats(2) }),
    answer({ a: floats(1) }),
    false,
    0,
  ],
  [
    'several runs',
    answer([{ y: floats(1) }, { y: floats(2) }]),
    answer([{ y: floats(1) }, { y: floats(4) }]),
    false,
    2,
  ],
  [
    'fewer runs',
    answer([{ y: floats(1) }, { y: floats(2) }]),
    answer([{ y: floats(1) }]),
    false,
    0,
  ],
  [
    'the class of a classifier, whatever its scores',
    answer({ y: floats(0.1, 0.9) }, classifier),
    answer({ y: floats(0.4, 0.6) }, classifier),
    true,
    0.3,
  ],
  [
    'another class',
    answer({ y: floats(0.1, 0.9) }, classifier),
    answer({ y: floats(0.6, 0.4) }, classifier),
    false,
    0.5,
  ],
  [
    'the class of one row of several',
    answer(
      {
        y: table([
          [0, 1],
          [0, 1],
        ]),
      },
      classifier,
    ),
    answer(
      {
        y: table([
          [0, 1],
          [1, 0],
        ]),
      },
      classifier,
    ),
    false,
    1,
  ],
  [
    'labels in another order',
    answer({ y: floats(0, 1) }, { ...classifier, labels: { y: ['a', 'b'] } }),
    answer({ y: floats(1, 0) }, { ...classifier, labels: { y: ['b', 'a'] } }),
    true,
    1,
  ],
  [
    'a label beside scores',
    answer({ label: strings('a'), p: floats(0.9, 0.1) }, classifier),
    answer({ label: strings('a'), p: floats(0.6, 0.4) }, classifier),
    true,
    0.3,
  ],
  [
    'scores of which the other version makes no classes',
    answer({ y: floats(0.1, 0.9) }, classifier),
    answer({ y: floats(0.4, 0.6) }),
    false,
    0.3,
  ],
  [
    'the single score of a binary classifier',
    answer({ y: floats(0.9) }, classifier),
    answer({ y: floats(0.1) }, classifier),
    false,
    0.8,
  ],
] as const) {
  test(`compares ${what}`, () => {
    const found = compareAnswers(own, other, tolerance);
    assert.equal(found.agrees, agrees);
    const { maxAbsDifference: most } = found;
    if (difference === undefined) assert.equal(most, undefined);
    else assert.ok(Math.abs(most! - difference) < 1e-6, String(most));
  });
}

test('compares packed strings with those that are not', () => {
  const packed = { y: { type: 'string', dims: [2], data: packStrings(['a', 'ä']) } } as const;
  assert.ok(compareAnswers(answer({}, {}, packed), answer({}, {}, packed)).agrees);
  assert.ok(compareAnswers(answer({}, {}, packed), answer({ y: strings('a', 'ä') })).agrees);
  assert.ok(!compareAnswers(answer({}, {}, packed), answer({ y: strings('a', 'b') })).agrees);
});

test('copies are of the elements only, also of bytes at an odd offset and of pooled buffers', () => {
  const memory = new Uint8Array(64);
  const bytes = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  memory.set(bytes, 5);
  const tensors: Tensors = {
    packed: { type: 'float32', dims: [3], data: memory.subarray(5, 17) },
    pooled: { type: 'uint8', dims: [3], data: Buffer.from([1, 2, 3]) },
    text: { type: 'string', dims: [1], data: packStrings(['abc']) },
    list: { type: 'string', dims: [1], data: ['abc'] },
  };
  assert.equal(sizeOf(tensors), 12 + 3 + 7 + 6);
  const copies = copyTensors(tensors);
  memory.fill(0);
  (tensors.pooled!.data as Uint8Array).fill(0);
  assert.deepEqual(shownElements(copies), {
    packed: [1, 2, 3],
    pooled: [1, 2, 3],
    text: ['abc'],
    list: ['abc'],
  });
  for (const name of ['packed', 'pooled', 'text'] as const) {
    const { buffer, byteLength } = copies[name]!.data as Uint8Array;
    assert.equal(buffer.byteLength, byteLength, name);
  }
});

test('of a long tensor the first 16 elements are shown', () => {
  const long = { y: floats(...Array.from({ length: 100 }, (_, i) => i)) };
  assert.deepEqual(
    shownElements(long).y,
    Array.from({ length: 16 }, (_, i) => i),
  );
});
