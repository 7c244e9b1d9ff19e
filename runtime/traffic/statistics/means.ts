/** @module Compares two means, such as those of rewards, by Welch's t test. */

import { betaCdf } from './beta.ts';
import { type Comparison, HALF, twoSided } from './comparison.ts';
import { root } from './root.ts';

/** Sums of a sample, which those of its parts can be added to. */
export interface Sample {
  readonly count: number;
  readonly sum: number;
  /** The sum of the squares. */
  readonly squares: number;
}

export const mean = ({ count, sum }: Sample): number => sum / count;

/** The unbiased variance; sums of equal values may be a little below 0. */
function variance({ count, sum, squares }: Sample): number {
  return Math.max((squares - (sum * sum) / count) / (count - 1), 0);
}

/** The difference of two means with its standard error and degrees of freedom. */
function welch(a: Sample, b: Sample) {
  const [ofA, ofB] = [variance(a) / a.count, variance(b) / b.count];
  const square = ofA + ofB;
  const freedom = square ** 2 / (ofA ** 2 / (a.count - 1) + ofB ** 2 / (b.count - 1));
  return { difference: mean(a) - mean(b), error: Math.sqrt(square), freedom };
}

/** The probability that Student's t exceeds a value. */
function upperTail(t: number, freedom: number): number {
  const both = betaCdf(freedom / (freedom + t * t), freedom / 2, 0.5);
  return t > 0 ? both / 2 : 1 - both / 2;
}

/**
 * The one-sided p-value of the hypothesis that the mean of `a` is at most that of `b` plus `margin`. Each needs two
 * values; samples that do not vary cannot be tested, so that the p-value is 1.
 */
export function higherMean(a: Sample, b: Sample, margin = 0): number {
  const { difference, error, freedom } = welch(a, b);
  return error > 0 ? upperTail((difference - margin) / error, freedom) : 1;
}

/** The difference of two means, `a` minus `b`. Undefined if a sample has less than two values or neither varies. */
export function compareMeans(a: Sample, b: Sample): Comparison | undefined {
  if (a.count < 2 || b.count < 2) return undefined;
  const { difference, error, freedom } = welch(a, b);
  if (error === 0) return undefined;
  const reach = error * root((t) => upperTail(t, freedom) - HALF, 0, 20);
  return {
    difference,
    interval: [difference - reach, difference + reach],
    pValue: twoSided(higherMean(a, b), higherMean(b, a)),
  };
}
