/** @module What is computed from vectors and scores. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FLOAT16, floatsOfHalves, fromHalfBits } from '../../../../runtime/half-floats.ts';
import { activate, fallingOrder, highestFirst, softmax } from '../../../../runtime/tasks/scores.ts';
import { applyDense } from '../../../../runtime/tasks/text/dense.ts';
import type { DenseLayer } from '../../../../runtime/text/text-model.ts';
import { assertNear } from './support.ts';

describe('a layer', () => {
  const layer = (activation: DenseLayer['activation'], bias?: Float32Array): DenseLayer => ({
    inFeatures: 2,
    outFeatures: 3,
    weight: Float32Array.of(1, 0, 0, 1, 2, -1),
    bias,
    activation,
  });
  const input = Float64Array.of(0.5, -2);

  test('multiplies and adds', () => {
    assert.deepEqual([...applyDense(layer('identity'), input)], [0.5, -2, 3]);
    const bias = Float32Array.of(1, 2, 3);
    assert.deepEqual([...applyDense(layer('identity', bias), input)], [1.5, 0, 6]);
  });

  // The numbers are those of torch, which computes them in float32.
  for (const [activation, expected] of [
    ['tanh', [0.46211716, -0.96402758, 0.99505475]],
    ['relu', [0.5, 0, 3]],
    ['gelu', [0.34573123, -0.0455003, 2.9959497]],
    ['sigmoid', [0.62245933, 0.11920292, 0.95257413]],
  ] as const) {
    test(`applies ${activation}`, () => {
      assertNear(applyDense(layer(activation), input), expected, 1e-6);
    });
  }
});

describe('scores', () => {
  test('add up to 1 after a softmax, however large they are', () => {
    const score = fc.double({ min: -1e30, max: 1e30, noNaN: true });
    fc.assert(
      fc.property(fc.array(score, { minLength: 1 }), (scores) => {
        const probabilities = softmax(scores, 0, scores.length);
        const sum = probabilities.reduce((all, each) => all + each, 0);
        assert.ok(Math.abs(sum - 1) < 1e-9);
        assert.ok(probabilities.every((each) => each >= 0 && each <= 1));
      }),
    );
  });

  test('have a sigmoid that does not overflow', () => {
    assert.deepEqual([...activate([-1e6, 0, 1e6], 'sigmoid')], [0, 0.5, 1]);
  });

  test('are in falling order, equal ones in their own', () => {
    assert.deepEqual(fallingOrder([1, 3, 1, 3, 2]), [1, 3, 4, 0, 2]);
  });

  test('have the same first ones without sorting all', () => {
    const few = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 });
    fc.assert(
      fc.property(few, fc.integer({ min: 0, max: 30 }), (scores, count) => {
        const expected = fallingOrder(scores).slice(0, count);
        assert.deepEqual(highestFirst(scores, count), expected);
      }),
    );
  });
});

test('16-bit floats are exact', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const floats = floatsOfHalves(all);
  for (const bits of all) {
    const expected = fromHalfBits(FLOAT16, bits);
    assert.ok(Object.is(floats[bits], expected), `${bits}: ${floats[bits]} is not ${expected}`);
  }
});
