/** @module The statistics of arms, read from the database. */

import { SHADOW } from '../routing/observer.ts';
import type { Sql } from '../store/store.ts';
import type { Histogram } from './statistics/latencies.ts';
import type { Sample } from './statistics/means.ts';
import type { Proportion } from './statistics/proportions.ts';

/** What was counted about one arm. */
export interface ArmStatistics {
  readonly arm: string;
  readonly version: string;
  readonly requests: number;
  readonly errors: number;
  readonly confidences: number;
  readonly confidenceSum: number;
  readonly compared: number;
  readonly agreed: number;
  readonly maxAbsDifference: number | null;
  /** Requests with an outcome. */
  readonly outcomes: number;
  /** Predictions that were compared with the truth, and those that were right. */
  readonly judged: number;
  readonly correct: number;
  readonly rewards: Sample;
  readonly latencies: Histogram;
}

interface Columns {
  readonly period: number;
  readonly arm: string;
  readonly version: string;
  readonly requests: number;
  readonly errors: number;
  readonly confidences: number;
  readonly confidence_sum: number;
  readonly compared: number;
  readonly agreed: number;
  readonly max_abs_difference: number | null;
  readonly outcomes: number;
  readonly judged: number;
  readonly correct: number;
  readonly rewards: number;
  readonly reward_sum: number;
  readonly reward_squares: number;
  readonly latencies: Histogram;
}

/** An arm in one period. */
export interface PeriodStatistics extends ArmStatistics {
  readonly period: number;
}

/** The statistics of a model's experiment, by period, the latest first. */
export async function readStatistics(
  sql: Sql,
  model: string,
): Promise<readonly PeriodStatistics[]> {
  const rows = await sql.query<Columns>(
    `select a.*, (
         select coalesce(jsonb_agg(jsonb_build_array(bucket, l.requests) order by bucket), '[]')
         from arm_latencies l where (l.model, l.period, l.arm, l.version)
           = (a.model, a.period, a.arm, a.version)) as latencies
     from arms a left join experiments e using (model)
     where a.model = $1 and a.period >= coalesce(e.first_period, 0)
     order by a.period desc, a.arm, a.version`,
    [model],
  );
  return rows.map((row) => ({
    period: row.period,
    arm: row.arm,
    version: row.version,
    requests: row.requests,
    errors: row.errors,
    confidences: row.confidences,
    confidenceSum: row.confidence_sum,
    compared: row.compared,
    agreed: row.agreed,
    maxAbsDifference: row.max_abs_difference,
    outcomes: row.outcomes,
    judged: row.judged,
    correct: row.correct,
    rewards: { count: row.rewards, sum: row.reward_sum, squares: row.reward_squares },
    latencies: row.latencies,
  }));
}

/** The statistics of each version over all periods, and those of the shadow apart. An arm has its latest name. */
export function overPeriods(statistics: readonly PeriodStatistics[]): readonly ArmStatistics[] {
  const isShadow = ({ arm }: ArmStatistics) => arm === SHADOW;
  const merged: ArmStatistics[] = [];
  for (const each of statistics) {
    const at = merged.findIndex(
      (other) => other.version === each.version && isShadow(other) === isShadow(each),
    );
    const { period: _, ...arm } = each;
    if (at === -1) merged.push(arm);
    else merged[at] = add(merged[at]!, arm);
  }
  return merged.toSorted(
    (a, b) => Number(isShadow(a)) - Number(isShadow(b)) || (a.version < b.version ? -1 : 1),
  );
}

/** The statistics of two arms together, with the name of the first. */
export function add(a: ArmStatistics, b: ArmStatistics): ArmStatistics {
  const differences = [a.maxAbsDifference, b.maxAbsDifference].filter((each) => each !== null);
  return {
    arm: a.arm,
    version: a.version,
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    confidences: a.confidences + b.confidences,
    confidenceSum: a.confidenceSum + b.confidenceSum,
    compared: a.compared + b.compared,
    agreed: a.agreed + b.agreed,
    maxAbsDifference: differences.length === 0 ? null : Math.max(...differences),
    outcomes: a.outcomes + b.outcomes,
    judged: a.judged + b.judged,
    correct: a.correct + b.correct,
    rewards: {
      count: a.rewards.count + b.rewards.count,
      sum: a.rewards.sum + b.rewards.sum,
      squares: a.rewards.squares + b.rewards.squares,
    },
    latencies: addHistograms(a.latencies, b.latencies),
  };
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  const counts = new Map(a);
  for (const [bucket, count] of b) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  return [...counts].toSorted(([x], [y]) => x - y);
}

export const errorRate = ({ errors, requests }: ArmStatistics): Proportion => ({
  events: errors,
  trials: requests,
});

export const accuracy = ({ correct, judged }: ArmStatistics): Proportion => ({
  events: correct,
  trials: judged,
});
