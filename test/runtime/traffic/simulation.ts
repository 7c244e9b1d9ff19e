/** @module Simulated canaries, whose versions are as good or as bad as a test says. */

import type { CanaryPlan } from '../../../runtime/routing/route.ts';
import { type ArmStatistics, add } from '../../../runtime/traffic/arm-statistics.ts';
import { decide } from '../../../runtime/traffic/driver.ts';
import { bucketOf, type Histogram } from '../../../runtime/traffic/statistics/latencies.ts';

/** Random numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a version behaves. */
export interface Behaviour {
  readonly errorRate: number;
  /** Median of the latency, which has a log-normal distribution with a sigma of 0.5. */
  readonly medianMs: number;
  /** Probability of a reward of 1, otherwise 0; undefined for no rewards. */
  readonly reward?: number;
  /** Whether rewards are numbers that vary by as much, instead of 0 and 1. */
  readonly continuous?: boolean;
}

/** Requests in each second. */
const RATE = 200;
const PLAN = { version: 'v2', steps: [0.05, 0.25, 0.5, 1], bake_seconds: 60, min_requests: 500 };

/** How one canary ends, and at which step. */
export function simulate(
  random: () => number,
  guards: CanaryPlan['guards'],
  baseline: Behaviour,
  candidate: Behaviour,
): { readonly rolledBack: boolean; readonly step: number; readonly requests: number } {
  const plan: CanaryPlan = { ...PLAN, guards };
  let looks = 0;
  let total = 0;
  let last: ArmStatistics = draw(random, 'stable', baseline, RATE);
  for (const [step, share] of plan.steps.entries()) {
    let lookAt = 0;
    let stable: ArmStatistics | undefined;
    let canary: ArmStatistics | undefined;
    for (let second = 1; ; second += 1) {
      const count = binomial(random, RATE, share);
      total += count;
      const more = draw(random, 'canary', candidate, count);
      canary = canary === undefined ? more : add(canary, more);
      if (share < 1) {
        const others = draw(random, 'stable', baseline, RATE - count);
        stable = stable === undefined ? others : add(stable, others);
        last = stable;
      }
      const evidence = { candidate: canary, baseline: last, shadow: undefined };
      const decision = decide(plan, { looks, lookAt }, evidence, second * 1000);
      if (decision.kind === 'roll_back') return { rolledBack: true, step, requests: total };
      if (decision.kind !== 'wait') looks += 1;
      if (decision.kind === 'advance') break;
      if (decision.kind === 'look') lookAt = Math.ceil(decision.requests * 1.25);
    }
  }
  return { rolledBack: false, step: plan.steps.length, requests: total };
}

/** The share of canaries that are rolled back. */
export function rollBackRate(
  canaries: number,
  guards: CanaryPlan['guards'],
  baseline: Behaviour,
  candidate: Behaviour,
  seed = 1,
): number {
  const random = seeded(seed);
  let rolledBack = 0;
  for (let i = 0; i < canaries; i += 1) {
    if (simulate(random, guards, baseline, candidate).rolledBack) rolledBack += 1;
  }
  return rolledBack / canaries;
}

function draw(random: () => number, arm: string, of: Behaviour, count: number): ArmStatistics {
  const { errorRate, medianMs, reward, continuous = false } = of;
  const buckets = new Map<number, number>();
  let errors = 0;
  const rewards = { count: 0, sum: 0, squares: 0 };
  for (let i = 0; i < count; i += 1) {
    const bucket = bucketOf(medianMs * Math.exp(0.5 * normal(random)));
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
    if (random() < errorRate) errors += 1;
    if (reward === undefined) continue;
    const value = continuous ? reward + 0.5 * normal(random) : Number(random() < reward);
    rewards.count += 1;
    rewards.sum += value;
    rewards.squares += value * value;
  }
  const latencies: Histogram = [...buckets].toSorted(([a], [b]) => a - b);
  return {
    ...{ arm, version: arm, requests: count, errors, confidences: 0, confidenceSum: 0 },
    ...{ compared: 0, agreed: 0, maxAbsDifference: null, outcomes: rewards.count },
    ...{ judged: 0, correct: 0, rewards, latencies },
  };
}

function binomial(random: () => number, trials: number, probability: number): number {
  let events = 0;
  for (let i = 0; i < trials; i += 1) if (random() < probability) events += 1;
  return events;
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
