/** @module Inputs that do not fit the signature are refused in one sentence; unusual but valid arrays are accepted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Model, RunOptions, Tensor, Tensors } from '../../native/index.ts';
import { fixture, float32, open, refused, tensor, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const a = float32([1, 2]);
const b = tensor('int64', [1, 2], BigInt64Array.of(3n, 4n));
const good = { a, b };

function detached(): Float32Array {
  const array = Float32Array.of(1, 2);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** For each mistake: the inputs of `two-in-two-out` that have it, and the message. */
const wrongInputs: readonly (readonly [string, unknown, RegExp])[] = [
  ['no inputs object', undefined, /inputs/],
  ['null for inputs', null, /inputs/],
  ['a missing input', { a }, /^Input 'b' is missing$/],
  [
    'a misspelt input',
    { a, B: b },
    /^Input 'b' is missing; the model has no input 'B': it has 'a', 'b'$/,
  ],
  ['an additional input', { a, b, c: a }, /no input 'c': it has 'a', 'b'/],
  ['null for a tensor', { a, b: null }, /'b' is missing/],
  ['a number for a tensor', { a: 1, b }, /'a' is undefined.*float32/],
  [
    'another type',
    { a: tensor('float64', [1, 2], Float64Array.of(1, 2)), b },
    /'a'.*float64.*float32/,
  ],
  ['an unknown type', { a: { ...a, type: 'complex64' }, b }, /'a'.*complex64.*float32/],
  ['an array of another type', { a: { ...a, data: Float64Array.of(1, 2) }, b }, /'a'.*float32/],
  ['numbers instead of bigints', { a, b: { ...b, data: [3, 4] } }, /'b'.*int64/],
  ['a plain array', { a: { ...a, data: [1, 2] }, b }, /'a'.*typed array/],
  ['an array-like object', { a: { ...a, data: { length: 2, 0: 1, 1: 2 } }, b }, /'a'.*typed array/],
  ['an ArrayBuffer', { a: { ...a, data: new ArrayBuffer(8) }, b }, /'a'.*typed array/],
  ['a DataView', { a: { ...a, data: new DataView(new ArrayBuffer(8)) }, b }, /'a'.*typed array/],
  ['no data', { a: { type: 'float32', dims: [1, 2] }, b }, /'a'.*typed array/],
  ['no dims', { a: { type: 'float32', data: a.data }, b }, /'a'.*dims/],
  ['dims that are not an array', { a: { ...a, dims: 2 }, b }, /'a'.*dims/],
  ['dims in a typed array', { a: { ...a, dims: Int32Array.of(1, 2) }, b }, /'a'.*dims/],
  ['too few dimensions', { a: { ...a, dims: [2] }, b }, /'a' has shape \[2\].*expects \[-1,2\]/],
  ['too many dimensions', { a: { ...a, dims: [1, 2, 1] }, b }, /'a' has shape \[1,2,1\]/],
  ['more dimensions than any model', { a: { ...a, dims: Array(17).fill(1) }, b }, /'a'.*16/],
  ['a fixed dimension', { a: float32([1, 2, 3]), b }, /'a' has shape \[1,3\].*\[-1,2\]/],
  ['a negative dimension', { a: { ...a, dims: [-1, 2] }, b }, /'a'.*whole number/],
  ['half a row', { a: { ...a, dims: [0.5, 2] }, b }, /'a'.*whole number/],
  ['NaN rows', { a: { ...a, dims: [Number.NaN, 2] }, b }, /'a'.*whole number/],
  ['infinite rows', { a: { ...a, dims: [Infinity, 2] }, b }, /'a'.*whole number/],
  ['rows past 2^53', { a: { ...a, dims: [2 ** 60, 2] }, b }, /'a'.*whole number/],
  ['rows as a bigint', { a: { ...a, dims: [1n, 2] }, b }, /'a'.*whole number/],
  ['rows as a string', { a: { ...a, dims: ['1', 2] }, b }, /'a'.*whole number/],
  ['a gap in dims', { a: { ...a, dims: [undefined, 2] }, b }, /'a'.*whole number/],
  ['2^53 - 1 rows', { a: { ...a, dims: [2 ** 53 - 1, 2] }, b }, /'a'/],
  ['too few elements', { a: { ...a, data: Float32Array.of(1) }, b }, /'a' has 1 elements.*holds 2/],
  [
    'too many elements',
    { a: { ...a, data: new Float32Array(3) }, b },
    /'a' has 3 elements.*holds 2/,
  ],
  ['detached memory', { a: { ...a, data: detached() }, b }, /'a' has 0 elements.*holds 2/],
  ['unequal rows', { a: float32([1, 2], [3, 4]), b }, /'b' has 1 rows, but 'a' has 2/],
];

const wrongOptions: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'an output that does not exist',
    { outputs: ['sum', 'x'] },
    /no output 'x': it has 'sum', 'product'/,
  ],
  ['a negative priority', { priority: -1 }, /priority is -1/],
  ['a fractional priority', { priority: 0.5 }, /priority is 0.5/],
  ['priority 256', { priority: 256 }, /priority is 256/],
  ['a negative timeout', { timeoutMs: -1 }, /timeoutMs is -1/],
  ['a timeout that is NaN', { timeoutMs: Number.NaN }, /timeoutMs is NaN/],
  ['a string for a timeout', { timeoutMs: '5' }, /timeoutMs is 5/],
];

describe('a request is refused with INVALID_ARGUMENT and without other effects for', () => {
  let model: Model;
  before(async () => {
    model = await engine.load({ path: fixture('two-in-two-out') });
  });
  after(() => model.close());

  async function refuses(inputs: unknown, options: unknown, message: RegExp): Promise<void> {
    // The costs are left out, because an instance may still be recording the previous run.
    const counts = () => ({
      ...model.stats(),
      costs: [],
      returningShare: 0,
      arrivalsPerSecond: 0,
      idleMs: 0,
    });
    const before = counts();
    const run = model.run(inputs as Tensors, options as RunOptions);
    await refused(run, 'INVALID_ARGUMENT', message);
    assert.deepEqual(counts(), before);
    await model.run(good);
  }

  for (const [what, inputs, message] of wrongInputs) {
    test(what, () => refuses(inputs, {}, message));
  }
  for (const [what, options, message] of wrongOptions) {
    test(what, () => refuses(good, options, message));
  }

  test('any of these mistakes, also among valid requests', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 400 }, (_, index) => {
        const wrong = wrongInputs[index % wrongInputs.length]!;
        return model.run(index % 2 === 0 ? good : (wrong[1] as Tensors));
      }),
    );
    for (const [index, outcome] of outcomes.entries()) {
      assert.equal(outcome.status, index % 2 === 0 ? 'fulfilled' : 'rejected', `request ${index}`);
    }
  });
});

describe('a request is refused for', () => {
  test('a size that overflows', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      for (const dims of [
        [2 ** 40, 2 ** 40],
        [2 ** 32, 2 ** 31],
        [2 ** 53 - 1, 2 ** 53 - 1],
      ]) {
        const x = { type: 'float32', dims, data: new Float32Array(1) } as const;
        await refused(model.run({ x }), 'INVALID_ARGUMENT', /'x'/);
      }
    }));

  test('a value that is not a list of strings', () =>
    withModel(engine, 'identity-string', async (model) => {
      const wrong = [['a', 'b', 3], ['a', 'b'], 'abc', new Uint8Array(3), undefined, new Array(3)];
      for (const data of wrong) {
        const x = { type: 'string', dims: [1, 3], data } as unknown as Tensor;
        await refused(model.run({ x }), 'INVALID_ARGUMENT', /'x'.*string/);
      }
    }));

  test('clamped bytes as uint8', () =>
    withModel(engine, 'identity-uint8', async (model) => {
      const data = new Uint8ClampedArray(3) as unknown as Uint8Array;
      await refused(model.run({ x: tensor('uint8', [1, 3], data) }), 'INVALID_ARGUMENT', /'x'/);
    }));
});

/** Arrays of the numbers 1, 2, 3 that do not simply own memory of their size. */
const oddArrays: readonly (readonly [string, () => Float32Array])[] = [
  ['a view with an offset', () => Float32Array.of(0, 1, 2, 3, 0).subarray(1, 4)],
  ['shared memory', () => fill(new Float32Array(new SharedArrayBuffer(12)))],
  ['a part of shared memory', () => fill(new Float32Array(new SharedArrayBuffer(64), 8, 3))],
  ['resizable memory', () => fill(new Float32Array(new ArrayBuffer(12, { maxByteLength: 64 })))],
  [
    'WebAssembly memory',
    () => fill(new Float32Array(new WebAssembly.Memory({ initial: 1 }).buffer, 4, 3)),
  ],
  ['a subclass', () => fill(new (class Numbers extends Float32Array {})(3))],
];

function fill(array: Float32Array): Float32Array {
  array.set([1, 2, 3]);
  return array;
}

describe('a request is accepted with', () => {
  for (const [what, make] of oddArrays) {
    for (const transfer of [false, true]) {
      test(`${what}${transfer ? ', with transfer' : ''}`, () =>
        withModel(engine, 'identity-float32', async (model) => {
          const { y } = (await model.run({ x: tensor('float32', [1, 3], make()) }, { transfer }))
            .outputs;
          assert.deepEqual([...(y!.data as Float32Array)], [1, 2, 3]);
        }));
    }
  }

  test('a Buffer for uint8', () =>
    withModel(engine, 'identity-uint8', async (model) => {
      const { y } = (await model.run({ x: tensor('uint8', [1, 3], Buffer.from('abc')) })).outputs;
      assert.deepEqual([...y!.data], [97, 98, 99]);
    }));

  test('an array that changes after the call', () =>
    withModel(engine, 'identity-float32', async (model) => {
      const data = Float32Array.of(1, 2, 3);
      const runs = Array.from({ length: 20 }, (_, index) => {
        data.fill(index);
        return model.run({ x: tensor('float32', [1, 3], data) });
      });
      data.fill(-1);
      for (const [index, { outputs }] of (await Promise.all(runs)).entries()) {
        assert.deepEqual([...(outputs.y!.data as Float32Array)], [index, index, index]);
      }
    }));
});
