/** @module Compares two proportions, such as the error rates of two versions, exactly also where events are rare. */

import { betaCdf, betaDensity } from './beta.ts';
import { type Comparison, HALF, twoSided } from './comparison.ts';
import { root } from './root.ts';

/** Events in a number of trials. */
export interface Proportion {
  readonly events: number;
  readonly trials: number;
}

/** The share of events; NaN without trials. */
export const rate = ({ events, trials }: Proportion): number => events / trials;

/** The probability of at least so many events if each trial is one with probability `limit`: the exact binomial test. */
export function exceeds({ events, trials }: Proportion, limit: number): number {
  return events === 0 ? 1 : betaCdf(limit, events, trials - events + 1);
}

/**
 * The one-sided p-value of the hypothesis that the rate of `a` is at most that of `b` plus `margin`: small if the rate of
 * `a` is higher than that.
 *
 * It is the melded binomial test of Fay, Proschan and Brittain (Biometrics 71, 2015): without a margin, exactly Fisher's
 * test; with one, the same idea. Both keep the error rate also where events are rare, as the normal approximation does not.
 */
export function higherRate(a: Proportion, b: Proportion, margin = 0): number {
  // The lower confidence limits of a's rate and the upper ones of b's are quantiles of these two beta distributions; that
  // of no events is 0, and that of nothing but events is 1.
  const [lowA, lowB] = [a.events, a.trials - a.events + 1];
  const [highA, highB] = [b.events + 1, b.trials - b.events];
  if (a.events === 0) return highB === 0 ? 1 : 1 - betaCdf(-margin, highA, highB);
  if (highB === 0) return betaCdf(1 + margin, lowA, lowB);
  return expectation(highA, highB, (x) => betaCdf(x + margin, lowA, lowB));
}

/** The difference of two rates, `a` minus `b`. Undefined without trials. */
export function compareRates(a: Proportion, b: Proportion): Comparison | undefined {
  if (a.trials === 0 || b.trials === 0) return undefined;
  return {
    difference: rate(a) - rate(b),
    interval: [lowerLimit(a, b), -lowerLimit(b, a)],
    pValue: twoSided(higherRate(a, b), higherRate(b, a)),
  };
}

/** The lower limit of the interval of the difference: the margin that is just refuted. */
function lowerLimit(a: Proportion, b: Proportion): number {
  const difference = rate(a) - rate(b);
  const from = Math.max(difference - REACH * (spread(a) + spread(b)), -1);
  return root((margin) => higherRate(a, b, margin) - HALF, from, difference);
}

/** The limits of an interval are closer than this to the difference, in standard errors. */
const REACH = 8;

/** The standard error of a rate; with one more event and one more trial without, so that it is never 0. */
function spread({ events, trials }: Proportion): number {
  const share = (events + 1) / (trials + 2);
  return Math.sqrt((share * (1 - share)) / trials);
}

/** Where the panels of the integral end, in standard deviations from the mean. */
const PANELS = [-40, -12, -6, -3, -1, 0, 1, 3, 6, 12, 40];
const INTERVALS = 16;

/** The expectation of a function of a beta variable whose parameters are at least 1, by Simpson's rule. */
function expectation(a: number, b: number, of: (x: number) => number): number {
  const mean = a / (a + b);
  const deviation = Math.sqrt((mean * (1 - mean)) / (a + b + 1));
  const ends = PANELS.map((end) => Math.min(Math.max(mean + end * deviation, 1e-15), 1 - 1e-15));
  let sum = 0;
  for (const [i, from] of ends.slice(0, -1).entries()) {
    const step = (ends[i + 1]! - from) / INTERVALS;
    if (step === 0) continue;
    for (let j = 0; j <= INTERVALS; j += 1) {
      const x = from + j * step;
      const weight = j === 0 || j === INTERVALS ? 1 : j % 2 === 0 ? 2 : 4;
      sum += ((weight * step) / 3) * betaDensity(x, a, b) * of(x);
    }
  }
  return Math.min(sum, 1);
}
