import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ElementType, Signature, Tensor } from '../../../native/types.ts';
import { createTask, type TaskConfig } from '../../../runtime/tasks/index.ts';

/** The task of a model with these outputs, and one input that no test here looks at. */
function task(
  config: TaskConfig,
  ...outputs: [name: string, dims: number[], type?: ElementType][]
) {
  const specs = outputs.map(([name, dims, type = 'float32']) => ({
    name,
    dims,
    type,
    symbols: [],
  }));
  const batching = { enabled: true, maxRows: 8, reason: '' };
  const x = { name: 'x', dims: [-1, 1], type: 'float32', symbols: [] } as const;
  const signature: Signature = { inputs: [x], outputs: specs, batching };
  const { outputs: wanted, decode } = createTask({ name: 'm', signature }, config);
  const [name] = wanted;
  const read = (tensor: Tensor) =>
    decode([{ [name!]: tensor }], { rows: tensor.dims[0]!, nonFinite: 'string' });
  return { wanted, read };
}

const float32 = (dims: number[], ...values: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});

describe('classification', () => {
  test('answers the label of the highest score with its probability to six decimals', () => {
    const { read } = task({ task: 'classification', labels: ['a', 'b'] }, ['p', [-1, 2]]);
    assert.deepEqual(read(float32([2, 2], 0.25, 0.75, 1 / 3, 0.1)), [
      { prediction: 'b', confidence: 0.75 },
      { prediction: 'a', confidence: 0.333333 },
    ]);
  });

  test('turns logits into a probability without overflow', () => {
    const { read } = task({ task: 'classification', activation: 'softmax' }, ['z', [-1, 3]]);
    assert.deepEqual(read(float32([1, 3], 1000, 1000, 0)), [{ prediction: 0, confidence: 0.5 }]);
  });

  test('reads the output that is named', () => {
    const config = { task: 'classification', output: 'p' } as const;
    assert.deepEqual(task(config, ['label', [-1], 'int64'], ['p', [-1, 2]]).wanted, ['p']);
  });

  test('refuses what does not fit', () => {
    const name = 'classification';
    assert.throws(
      () => task({ task: name, labels: ['a'] }, ['p', [-1, 2]]),
      /"labels" names 1 classes, output "p" scores 2/,
    );
    assert.throws(() => task({ task: name }, ['label', [-1], 'int64']), /needs float scores/);
    assert.throws(
      () => task({ task: name }, ['a', [-1, 2]], ['b', [-1, 2]]),
      /several outputs.*"a", "b"/,
    );
    assert.throws(
      () => task({ task: name, output: 'c' }, ['a', [-1, 2]]),
      /no output "c"; write one of "a"/,
    );
  });
});

describe('regression', () => {
  test('answers the number without a confidence', () => {
    const { read } = task({ task: 'regression' }, ['y', [-1, 1]]);
    assert.deepEqual(read(float32([2, 1], 1.5, -2)), [{ prediction: 1.5 }, { prediction: -2 }]);
  });

  test('refuses an output of several numbers', () => {
    assert.throws(
      () => task({ task: 'regression' }, ['y', [-1, 3]]),
      /one number a row, output "y" has 3/,
    );
  });
});

describe('no task', () => {
  test('answers a value, or a list of them', () => {
    assert.deepEqual(task({}, ['y', [-1]]).read(float32([2], 1, 2)), [
      { prediction: 1 },
      { prediction: 2 },
    ]);
    assert.deepEqual(task({}, ['y', [-1, 2]]).read(float32([1, 2], 1, 2)), [
      { prediction: [1, 2] },
    ]);
  });

  test('carries every type in JSON', () => {
    const values = (tensor: Tensor) =>
      task({}, ['y', [-1]])
        .read(tensor)
        .map(({ prediction }) => prediction);
    assert.deepEqual(values({ type: 'bool', dims: [2], data: Uint8Array.of(0, 1) }), [false, true]);
    assert.deepEqual(values({ type: 'string', dims: [1], data: ['x'] }), ['x']);
    const integers = values({ type: 'int64', dims: [2], data: BigInt64Array.of(7n, 2n ** 60n) });
    assert.equal(JSON.stringify(integers), '[7,1152921504606846976]');
    const floats = values({
      type: 'float32',
      dims: [3],
      data: Float32Array.of(1.5, NaN, -Infinity),
    });
    assert.deepEqual(floats, [1.5, 'NaN', '-Infinity']);
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00);
    assert.deepEqual(values({ type: 'float16', dims: [4], data: halves }), [
      1,
      -2,
      2 ** -24,
      'Infinity',
    ]);
    const brains = Uint16Array.of(0x3f80, 0xc000);
    assert.deepEqual(values({ type: 'bfloat16', dims: [2], data: brains }), [1, -2]);
  });
});
