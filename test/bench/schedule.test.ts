import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exponential, seeded } from '../../bench/lib/random.ts';
import { schedule } from '../../bench/lib/schedule.ts';

const SECOND = 1000;
const poisson = { kind: 'poisson' } as const;

test('seeded returns the same numbers in [0, 1) for the same seed', () => {
  const [a, b, c] = [seeded(1), seeded(1), seeded(2)].map((next) =>
    Array.from({ length: 99 }, next),
  );
  assert.deepEqual(a, b);
  assert.notDeepEqual(a, c);
  assert.ok(a?.every((value) => value >= 0 && value < 1));
});

test('exponential has a mean of 1 and a standard deviation of 1', () => {
  const next = exponential(seeded(7));
  const values = Array.from({ length: 100_000 }, next);
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  assert.ok(Math.abs(mean - 1) < 0.02, `mean ${mean}`);
  assert.ok(Math.abs(Math.sqrt(variance) - 1) < 0.02, `deviation ${Math.sqrt(variance)}`);
});

test('a Poisson schedule ascends, has its rate, and is the same for the same seed', () => {
  const due = schedule(poisson, 2000, 10 * SECOND, 3);
  assert.ok(Math.abs(due.length - 20_000) < 500, `${due.length} requests`);
  assert.ok(due.every((at, i) => at >= (due[i - 1] ?? 0) && at < 10 * SECOND));
  assert.deepEqual(due, schedule(poisson, 2000, 10 * SECOND, 3));
  assert.notDeepEqual(due, schedule(poisson, 2000, 10 * SECOND, 4));
});

test('the variance of the counts of a Poisson schedule is their mean', () => {
  const due = schedule(poisson, 1000, 20 * SECOND, 5);
  const counts = new Array<number>(2000).fill(0);
  for (const at of due) counts[Math.floor(at / 10)]! += 1;
  const mean = due.length / counts.length;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;
  assert.ok(Math.abs(variance / mean - 1) < 0.1, `${variance / mean}`);
});

test('bursts keep the mean rate and occur in the first half of each period', () => {
  const bursts = { kind: 'bursts', periodMs: 100, high: 1.9 } as const;
  const due = schedule(bursts, 1000, 20 * SECOND, 3);
  assert.ok(Math.abs(due.length - 20_000) < 500, `${due.length} requests`);
  const inBurst = due.filter((at) => at % 100 < 50).length / due.length;
  assert.ok(Math.abs(inBurst - 0.95) < 0.01, `${inBurst}`);
  assert.ok(due.every((at, i) => at >= (due[i - 1] ?? 0)));
});

test('bursts of the mean rate are even traffic', () => {
  const even = schedule({ kind: 'bursts', periodMs: 100, high: 1 }, 500, SECOND, 1);
  const plain = schedule(poisson, 500, SECOND, 1);
  assert.deepEqual([...even].map(Math.round), [...plain].map(Math.round));
});
