/** @module Histograms of latencies and their quantiles. */

import { betaCdf } from './beta.ts';
import { type Comparison, HALF, twoSided } from './comparison.ts';
import { higherRate } from './proportions.ts';

/** Buckets for each doubling, so that a bucket is 2.2 % wide. */
const PER_DOUBLING = 32;
/** The upper end of the first bucket. */
const LOWEST_MS = 2 ** -10;
/** Up to 2^22 ms, which is longer than any deadline; the last bucket has the rest. */
export const BUCKETS = 32 * PER_DOUBLING + 1;

/** The bucket of a latency. */
export function bucketOf(ms: number): number {
  const bucket = Math.ceil(Math.log2(ms / LOWEST_MS) * PER_DOUBLING);
  // A latency of 0 has no logarithm.
  return bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0;
}

/** The geometric middle of a bucket, milliseconds. */
export const bucketMs = (bucket: number): number =>
  LOWEST_MS * 2 ** ((bucket - 0.5) / PER_DOUBLING);

/** The numbers of requests in the buckets that are not empty, in the order of the buckets. */
export type Histogram = readonly (readonly [bucket: number, count: number])[];

export const countOf = (histogram: Histogram): number =>
  histogram.reduce((sum, [, count]) => sum + count, 0);

/** The rank of a quantile in a sample: the smallest one with at least that share of it. */
const rankOf = (quantile: number, count: number): number =>
  Math.max(Math.ceil(quantile * count), 1);

/** The bucket of a quantile; undefined without requests. */
function quantileBucket(histogram: Histogram, quantile: number): number | undefined {
  return bucketAt(histogram, rankOf(quantile, countOf(histogram)));
}

/** The first bucket up to which the sum of the values reaches a limit; undefined if all together do not. */
function bucketAt(buckets: Histogram, limit: number): number | undefined {
  let sum = 0;
  for (const [bucket, value] of buckets) {
    sum += value;
    if (sum >= limit) return bucket;
  }
  return undefined;
}

/** A quantile, milliseconds; undefined without requests. */
export function quantileMs(histogram: Histogram, quantile: number): number | undefined {
  const bucket = quantileBucket(histogram, quantile);
  return bucket === undefined ? undefined : bucketMs(bucket);
}

/**
 * The one-sided p-value of the hypothesis that the quantile of `a` is at most `limit` times that of `b`.
 *
 * It compares, with the exact test of two proportions, how many requests took longer than `limit` times the quantile of
 * `b`. As the number of them in `b` follows from the rank of the quantile, the test is exact where both have distributions
 * of the same shape; a bootstrap of small samples gives false alarms (.github/decisions/0036).
 */
export function slowerQuantile(
  a: Histogram,
  b: Histogram,
  limit: number,
  quantile: number,
): number {
  const at = quantileBucket(b, quantile);
  if (at === undefined) return 1;
  const beyond = at + Math.log2(limit) * PER_DOUBLING;
  const slow = a.filter(([bucket]) => bucket > beyond);
  const trials = countOf(b);
  return higherRate(
    { events: countOf(slow), trials: countOf(a) },
    { events: trials - rankOf(quantile, trials), trials },
  );
}

/** A value of a bootstrapped quantile, as a bucket, with its probability. */
type Mass = readonly [bucket: number, probability: number];

/**
 * The distribution of a quantile over all bootstrap samples. A sample's quantile lies in a bucket or below if its rank or
 * more of the draws do; that is a binomial probability, so nothing has to be drawn (Schultzberg and Ankargren,
 * Resampling-free bootstrap inference for quantiles, 2022).
 */
function bootstrap(histogram: Histogram, quantile: number): Mass[] {
  const total = countOf(histogram);
  const rank = rankOf(quantile, total);
  let below = 0;
  let reached = 0;
  return histogram.map(([bucket, count]) => {
    below += count;
    const upTo = betaCdf(below / total, rank, total - rank + 1);
    const probability = upTo - reached;
    reached = upTo;
    return [bucket, probability];
  });
}

const NEGLIGIBLE = 1e-9;

/** The ratio of the quantiles of two arms, by the bootstrap. Undefined if one of them has no requests. */
export function compareQuantiles(
  a: Histogram,
  b: Histogram,
  quantile: number,
): Comparison | undefined {
  const [ofA, ofB] = [quantileBucket(a, quantile), quantileBucket(b, quantile)];
  if (ofA === undefined || ofB === undefined) return undefined;
  const others = bootstrap(b, quantile).filter(([, mass]) => mass > NEGLIGIBLE);
  const ratios = new Map<number, number>();
  for (const [bucket, mass] of bootstrap(a, quantile)) {
    if (mass <= NEGLIGIBLE) continue;
    for (const [other, otherMass] of others) {
      const ratio = bucket - other;
      ratios.set(ratio, (ratios.get(ratio) ?? 0) + mass * otherMass);
    }
  }
  const sorted = [...ratios].toSorted(([x], [y]) => x - y);
  const lower = sorted.reduce((sum, [ratio, mass]) => (ratio <= 0 ? sum + mass : sum), 0);
  const upper = sorted.reduce((sum, [ratio, mass]) => (ratio >= 0 ? sum + mass : sum), 0);
  return {
    difference: toRatio(ofA - ofB),
    interval: [toRatio(bucketAt(sorted, HALF)!), toRatio(bucketAt(sorted, 1 - HALF)!)],
    pValue: twoSided(lower, upper),
  };
}

const toRatio = (buckets: number): number => 2 ** (buckets / PER_DOUBLING);
