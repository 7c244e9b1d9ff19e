/** @module Tests the classes with the highest scores against a sort of all classes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../../services/inference/classification.ts';
import { assertBelow, wallMs } from '../../support/below.ts';

/** Whole numbers below `below`, always the same, with many equal ones and some NaN. */
function scoresOf(length: number, below: number): Float32Array {
  let state = 7;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % 97 === 0 ? Number.NaN : Math.floor((state / 2 ** 32) * below);
  });
}

/** The indices of the strings `score:index`. */
const indices = (data: Float32Array, count: number) =>
  classify('y', { type: 'float32', dims: [data.length], data }, false, count, undefined).data.map(
    (entry) => Number(entry.split(':')[1]),
  );

test('the classes are the first ones of all in descending order, for any count', () => {
  for (const data of [scoresOf(10_000, 500), scoresOf(10_000, 1e6), scoresOf(3, 5)]) {
    const rank = (score: number) => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score);
    const all = Array.from(data.keys()).sort((a, b) => rank(data[b]!) - rank(data[a]!) || a - b);
    for (const count of [0, 1, 2, 5, 1000, 9_999, 20_000]) {
      assert.deepEqual(indices(data, count), all.slice(0, count), `${count}`);
    }
  }
});

test('the highest of a million classes is found without sorting all of them', async () => {
  const data = Float32Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003);
  await assertBelow(100, 5, () => wallMs(() => indices(data, 1)));
});
