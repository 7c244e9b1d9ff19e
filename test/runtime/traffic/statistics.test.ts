/** @module The statistics against values of SciPy, which test/fixtures/statistics.py computes. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import {
  bucketMs,
  bucketOf,
  compareQuantiles,
  type Histogram,
  quantileMs,
  slowerQuantile,
} from '../../../runtime/traffic/statistics/latencies.ts';
import { FALSE_ALARM_RATE, levelOf, nextLook } from '../../../runtime/traffic/statistics/looks.ts';
import {
  compareMeans,
  higherMean,
  type Sample,
} from '../../../runtime/traffic/statistics/means.ts';
import {
  compareRates,
  exceeds,
  higherRate,
} from '../../../runtime/traffic/statistics/proportions.ts';

interface Fixture {
  readonly rates: readonly { of: [number, number, number, number, number]; p: number }[];
  readonly limits: readonly { of: [number, number, number]; p: number }[];
  readonly means: readonly {
    readonly a: Sample;
    readonly b: Sample;
    readonly p: number;
    readonly interval: [number, number];
    readonly margin: number;
    readonly higher: number;
  }[];
  readonly quantiles: readonly {
    readonly a: Histogram;
    readonly b: Histogram;
    readonly interval: [number, number];
    readonly limit: number;
    readonly slower: number;
  }[];
}

const file = new URL('../../fixtures/statistics.json', import.meta.url);
const fixture = JSON.parse(await readFile(file, 'utf8')) as Fixture;

/** Asserts that a number is that of SciPy to four digits. */
function near(actual: number, expected: number, what: unknown): void {
  const close = Math.abs(actual - expected) <= 1e-4 * Math.abs(expected) + 1e-12;
  assert.ok(close, `${actual} instead of ${expected} for ${JSON.stringify(what)}`);
}

const rates = fixture.rates.map(({ of: [events, trials, others, all, margin], p }) => ({
  a: { events, trials },
  b: { events: others, trials: all },
  margin,
  p,
}));

describe('two proportions', () => {
  test('are compared as by Fisher, and with a margin as by the melded test', () => {
    for (const { a, b, margin, p } of rates) near(higherRate(a, b, margin), p, [a, b, margin]);
  });

  test('have an interval whose ends the test just refutes', () => {
    for (const { a, b } of rates) {
      const { difference, interval, pValue } = compareRates(a, b)!;
      const [low, high] = interval;
      assert.ok(low <= difference && difference <= high, JSON.stringify([a, b]));
      if (low > -1 + 1e-6) near(higherRate(a, b, low), 0.025, [a, b, low]);
      if (high < 1 - 1e-6) near(higherRate(b, a, -high), 0.025, [a, b, high]);
      assert.equal(pValue < 0.05, low > 0 || high < 0, JSON.stringify([a, b]));
    }
  });

  test('without trials there is nothing to compare', () => {
    const none = { events: 0, trials: 0 };
    assert.equal(compareRates(none, { events: 1, trials: 2 }), undefined);
    assert.equal(higherRate({ events: 9, trials: 9 }, none), 1);
    assert.equal(higherRate(none, { events: 0, trials: 100 }), 1);
  });

  test('one proportion exceeds a limit as by the binomial test', () => {
    for (const { of, p } of fixture.limits) {
      near(exceeds({ events: of[0], trials: of[1] }, of[2]), p, of);
    }
  });
});

describe('two means', () => {
  test('are compared as by Welch', () => {
    for (const { a, b, p, interval, margin, higher } of fixture.means) {
      const compared = compareMeans(a, b)!;
      near(compared.pValue, p, [a, b]);
      near(compared.interval[0], interval[0], [a, b]);
      near(compared.interval[1], interval[1], [a, b]);
      near(higherMean(a, b, margin), higher, [a, b]);
    }
  });

  test('samples that do not vary, or of one value, are not compared', () => {
    const same = { count: 5, sum: 5, squares: 5 };
    assert.equal(compareMeans(same, same), undefined);
    assert.equal(higherMean(same, { count: 5, sum: 0, squares: 0 }), 1);
    assert.equal(compareMeans({ count: 1, sum: 1, squares: 1 }, same), undefined);
  });
});

describe('quantiles of latencies', () => {
  test('their ratio has the interval that a bootstrap draws', () => {
    for (const { a, b, interval } of fixture.quantiles) {
      const compared = compareQuantiles(a, b, 0.99)!;
      // The draws may end in the bucket beside the one of the exact distribution.
      for (const [i, end] of interval.entries()) {
        const buckets = Math.log2(compared.interval[i]! / end) * 32;
        assert.ok(Math.abs(buckets) <= 1.01, `${compared.interval} instead of ${interval}`);
      }
    }
  });

  test('the guard counts the requests beyond the limit as by the beta-binomial distribution', () => {
    for (const { a, b, limit, slower } of fixture.quantiles) {
      near(slowerQuantile(a, b, limit, 0.99), slower, [limit, slower]);
    }
  });

  test('a latency lies in its bucket, to 1.1 %', () => {
    for (const ms of [0.002, 0.07, 1, 1.5, 12.3, 1000, 3e6]) {
      assert.ok(Math.abs(bucketMs(bucketOf(ms)) / ms - 1) < 0.0111, String(ms));
    }
    assert.equal(bucketOf(0), 0);
    assert.equal(bucketOf(1e30), bucketOf(1e20));
  });

  test('a quantile is the smallest latency with that share of the requests', () => {
    const histogram: Histogram = [
      [100, 98],
      [200, 1],
      [300, 1],
    ];
    assert.equal(quantileMs(histogram, 0.5), bucketMs(100));
    assert.equal(quantileMs(histogram, 0.99), bucketMs(200));
    assert.equal(quantileMs(histogram, 0.991), bucketMs(300));
    assert.equal(quantileMs([], 0.5), undefined);
    assert.equal(compareQuantiles([], histogram, 0.5), undefined);
    assert.equal(slowerQuantile(histogram, [], 1, 0.99), 1);
  });
});

describe('looks', () => {
  test('spend no more than the level of a guard together', () => {
    const levels = Array.from({ length: 100_000 }, (_, i) => levelOf(i + 1));
    const spent = levels.reduce((sum, level) => sum + level, 0);
    assert.ok(spent <= FALSE_ALARM_RATE && spent > 0.99 * FALSE_ALARM_RATE, String(spent));
  });

  test('become rarer as the data grow', () => {
    assert.equal(nextLook(0), 20);
    assert.equal(nextLook(20), 25);
    assert.equal(nextLook(1000), 1250);
  });
});
