/** @module Simulated canaries, whose versions are as good or as bad as a test says. */

import type { CanaryPlan } from '../../../runtime/routing/route.ts';
import type { ArmStatistics } from '../../../runtime/traffic/arm-statistics.ts';
import { decide } from '../../../runtime/traffic/driver.ts';
import {
  BUCKETS,
  bucketOf,
  type Histogram,
} from '../../../runtime/traffic/statistics/latencies.ts';
import { nextLook } from '../../../runtime/traffic/statistics/looks.ts';

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

/** How one canary ends, at which step, and after how many of its requests. */
export function simulate(
  random: () => number,
  guards: CanaryPlan['guards'],
  baseline: Behaviour,
  candidate: Behaviour,
): { readonly rolledBack: boolean; readonly step: number; readonly requests: number } {
  const plan: CanaryPlan = { ...PLAN, guards };
  let looks = 0;
  let requests = 0;
  let stable = new SimulatedArm('stable', baseline);
  for (const [step, share] of plan.steps.entries()) {
    let lookAt = 0;
    const canary = new SimulatedArm('canary', candidate);
    if (share < 1) stable = new SimulatedArm('stable', baseline);
    for (let second = 1; ; second += 1) {
      for (let i = 0; i < RATE; i += 1) {
        (random() < share ? canary : stable).draw(random, guards);
      }
      const evidence = { candidate: canary, baseline: stable, shadow: undefined };
      const decision = decide(plan, { looks, lookAt }, evidence, second * 1000);
      if (decision.kind === 'roll_back')
        return { rolledBack: true, step, requests: requests + canary.requests };
      if (decision.kind !== 'wait') looks += 1;
      if (decision.kind === 'advance') break;
      if (decision.kind === 'look') lookAt = nextLook(decision.requests);
    }
    requests += canary.requests;
  }
  return { rolledBack: false, step: plan.steps.length, requests };
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

class SimulatedArm implements ArmStatistics {
  readonly arm: string;
  readonly version: string;
  readonly rewards = { count: 0, sum: 0, squares: 0 };
  readonly confidences = 0;
  readonly confidenceSum = 0;
  readonly compared = 0;
  readonly agreed = 0;
  readonly maxAbsDifference = null;
  readonly outcomes = 0;
  readonly judged = 0;
  readonly correct = 0;
  requests = 0;
  errors = 0;
  readonly #of: Behaviour;
  readonly #buckets = new Uint32Array(BUCKETS);

  constructor(arm: string, of: Behaviour) {
    this.arm = arm;
    this.version = arm;
    this.#of = of;
  }

  get latencies(): Histogram {
    return [...this.#buckets].flatMap((count, bucket) =>
      count === 0 ? [] : [[bucket, count] as const],
    );
  }

  /** One more request. Only what the guards look at is drawn. */
  draw(random: () => number, { error_rate, p99_ratio }: CanaryPlan['guards']): void {
    const { errorRate, medianMs, reward, continuous = false } = this.#of;
    this.requests += 1;
    if (error_rate !== undefined && random() < errorRate) this.errors += 1;
    if (p99_ratio !== undefined) {
      const bucket = bucketOf(medianMs * Math.exp(0.5 * normal(random)));
      this.#buckets[bucket] = this.#buckets[bucket]! + 1;
    }
    if (reward === undefined) return;
    const value = continuous ? reward + 0.5 * normal(random) : Number(random() < reward);
    this.rewards.count += 1;
    this.rewards.sum += value;
    this.rewards.squares += value * value;
  }
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
