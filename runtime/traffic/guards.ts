/** @module Decides whether a canary is worse than its guards allow. The statistics are those of .github/decisions/0036. */

import type { Guards } from '../routing/route.ts';
import { type ArmStatistics, accuracy, errorRate } from './arm-statistics.ts';
import { quantileMs, slowerQuantile } from './statistics/latencies.ts';
import { higherMean, mean, type Sample } from './statistics/means.ts';
import { exceeds, higherRate, type Proportion, rate } from './statistics/proportions.ts';

/** What the guards compare. */
export interface Evidence {
  readonly candidate: ArmStatistics | undefined;
  /** The versions whose requests the canary takes over, together. */
  readonly baseline: ArmStatistics | undefined;
  /** The canary's version as a shadow. */
  readonly shadow: ArmStatistics | undefined;
}

const QUANTILE = 0.99;

/** Fewest rewards of an arm for Welch's test, which needs means that are about normal. */
const MIN_REWARDS = 30;

/**
 * Returns why a guard is broken, as a sentence, or undefined if none is. A guard without data is not broken.
 *
 * @param level The probability that one guard is called broken although it is not.
 */
export function brokenGuard(
  { error_rate, p99_ratio, disagreement, reward_drop }: Guards,
  evidence: Evidence,
  level: number,
): string | undefined {
  const check = (guard: Guard, limit: number | undefined) =>
    limit === undefined ? undefined : guard(evidence, limit, level);
  return (
    check(errors, error_rate) ??
    check(latencies, p99_ratio) ??
    check(disagreements, disagreement) ??
    check(rewards, reward_drop)
  );
}

/** Returns why it is broken. */
type Guard = (evidence: Evidence, limit: number, level: number) => string | undefined;

const errors: Guard = ({ candidate, baseline }, limit, level) => {
  if (candidate === undefined) return undefined;
  const own = errorRate(candidate);
  const other = baseline && errorRate(baseline);
  // Without requests to compare with, such as in a first step of 100 %, the limit is that of the canary alone.
  const p = other === undefined ? exceeds(own, limit) : higherRate(own, other, limit);
  if (p > level) return undefined;
  return `The error rate is ${percent(own)}${against(other)}, and the guard allows ${points(limit)} more.`;
};

const latencies: Guard = ({ candidate, baseline }, limit, level) => {
  if (candidate === undefined || baseline === undefined) return undefined;
  if (slowerQuantile(candidate.latencies, baseline.latencies, limit, QUANTILE) > level) {
    return undefined;
  }
  const [own, other] = [candidate, baseline].map((arm) => quantileMs(arm.latencies, QUANTILE)!);
  return `The 99th percentile of the latency is ${short(own!)} ms against ${short(other!)} ms, and the guard allows a ratio of ${limit}.`;
};

/** A shadow is compared with the response to the same request; feedback only compares two groups of requests. */
const disagreements: Guard = ({ candidate, baseline, shadow }, limit, level) => {
  if (shadow !== undefined && shadow.compared > 0) {
    const { compared, agreed } = shadow;
    const share = { events: compared - agreed, trials: compared };
    if (exceeds(share, limit) > level) return undefined;
    return `The shadow disagrees in ${percent(share)} of the requests, and the guard allows ${points(limit)}.`;
  }
  if (candidate === undefined || baseline === undefined) return undefined;
  const [own, other] = [wrong(candidate), wrong(baseline)];
  if (higherRate(own, other, limit) > level) return undefined;
  return `By feedback ${percent(own)} of the predictions are wrong${against(other)}, and the guard allows ${points(limit)} more.`;
};

const rewards: Guard = ({ candidate, baseline }, limit, level) => {
  if (candidate === undefined || baseline === undefined) return undefined;
  const [own, other] = [candidate.rewards, baseline.rewards];
  if (own.count === 0 || other.count === 0) {
    const [ownShare, otherShare] = [accuracy(candidate), accuracy(baseline)];
    if (higherRate(otherShare, ownShare, limit) > level) return undefined;
    return `The accuracy is ${percent(ownShare)}${against(otherShare)}, and the guard allows a drop of ${limit}.`;
  }
  if (lowerReward(own, other, limit) > level) return undefined;
  return `The mean reward is ${short(mean(own))} against ${short(mean(other))}, and the guard allows a drop of ${limit}.`;
};

function lowerReward(own: Sample, other: Sample, limit: number): number {
  // Rewards of 0 and 1 are proportions, for which there is an exact test.
  if (isBinary(own) && isBinary(other)) return higherRate(share(other), share(own), limit);
  return Math.min(own.count, other.count) < MIN_REWARDS ? 1 : higherMean(other, own, limit);
}

/** Whether all values are 0 or 1, as only then they equal their squares. */
const isBinary = ({ count, sum, squares }: Sample): boolean =>
  sum === squares && sum >= 0 && sum <= count;

const share = ({ count, sum }: Sample): Proportion => ({ events: sum, trials: count });

const wrong = ({ judged, correct }: ArmStatistics): Proportion => ({
  events: judged - correct,
  trials: judged,
});

const short = (value: number): string => String(Number(value.toPrecision(3)));
const percent = (proportion: Proportion): string => `${short(100 * rate(proportion))} %`;
const points = (limit: number): string => `${short(100 * limit)} %`;

const against = (other: Proportion | undefined): string =>
  other === undefined ? '' : ` against ${percent(other)}`;
