import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  additiveLimit,
  pairedRatios,
  percentile,
  percentiles,
  summarise,
} from '../../bench/lib/stats.ts';

test('summarise gives the median of an odd number of values', () => {
  assert.deepEqual(summarise([3, 1, 2]), { count: 3, median: 2, min: 1, max: 3, spread: 1 });
});

test('summarise gives the mean of the two middle values of an even number', () => {
  assert.equal(summarise([4, 1, 2, 10]).median, 3);
});

test('summarise has no spread for one value, nor around a median of 0', () => {
  assert.equal(summarise([7]).spread, 0);
  assert.equal(summarise([-1, 0, 1]).spread, 0);
});

test('summarise refuses an empty list and values that are not finite', () => {
  assert.throws(() => summarise([]), RangeError);
  assert.throws(() => summarise([1, Number.NaN]), RangeError);
  assert.throws(() => summarise([1, Number.POSITIVE_INFINITY]), RangeError);
});

test('pairedRatios compares repeat with repeat, so that a slow repeat cancels out', () => {
  assert.deepEqual(pairedRatios([90, 45, 90], [100, 50, 100]), [0.9, 0.9, 0.9]);
});

test('pairedRatios refuses series of different length', () => {
  assert.throws(() => pairedRatios([1], [1, 2]), RangeError);
});

test('additiveLimit adds the costs of a request', () => {
  assert.equal(additiveLimit(100, 100), 50);
  assert.ok(Math.abs(1 / additiveLimit(48_000, 48_000) - 2 / 48_000) < 1e-12);
});

test('percentile is the smallest value that the share of values does not exceed', () => {
  const values = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(
    [0, 50, 50.5, 99, 99.5, 100].map((share) => percentile(values, share)),
    [1, 50, 51, 99, 100, 100],
  );
  assert.equal(percentile(Float64Array.of(7), 99), 7);
});

test('percentiles sorts a copy', () => {
  const values = [3, 1, 2, 10];
  assert.deepEqual(percentiles(values), { mean: 4, p50: 2, p99: 10, max: 10 });
  assert.deepEqual(values, [3, 1, 2, 10]);
  assert.throws(() => percentiles([]), RangeError);
});
