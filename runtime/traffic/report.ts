/** @module The report about an experiment: its arms, and how they compare. */

import { SHADOW } from '../routing/observer.ts';
import type { Sql } from '../store/store.ts';
import { roundMs } from '../timings.ts';
import { type ArmStatistics, accuracy, overPeriods, readStatistics } from './arm-statistics.ts';
import { comparePairs, type Pair } from './pairs.ts';
import { quantileMs } from './statistics/latencies.ts';
import { mean } from './statistics/means.ts';
import { rate } from './statistics/proportions.ts';

/** An experiment as clients see it. Values that there are no data for are null. */
export interface ExperimentReport {
  readonly arms: readonly ArmReport[];
  readonly pairs: readonly Pair[];
  /** Samples of requests whose shadow disagreed, the newest first. */
  readonly disagreements: readonly Disagreement[];
}

export interface ArmReport {
  readonly arm: string;
  readonly version: string;
  readonly requests: number;
  readonly errors: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly mean_confidence: number | null;
  /** Of the shadow: the share of compared requests in which it agrees with the response. */
  readonly agreement: number | null;
  readonly max_abs_difference: number | null;
  readonly feedback: {
    /** Requests with an outcome. */
    readonly count: number;
    readonly accuracy: number | null;
    readonly mean_reward: number | null;
  };
}

export interface Disagreement {
  readonly request_id: string;
  /** The version that responded. */
  readonly version: string;
  readonly shadow: string;
  readonly max_abs_difference: number | null;
  readonly outputs: unknown;
  readonly shadow_outputs: unknown;
  /** Null without `SHADOW_KEEP_INPUTS`. */
  readonly inputs: unknown;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export async function reportExperiment(sql: Sql, model: string): Promise<ExperimentReport> {
  const statistics = overPeriods(await readStatistics(sql, model));
  return {
    arms: statistics.map(toReport),
    pairs: comparePairs(statistics),
    disagreements: await readDisagreements(sql, model),
  };
}

function toReport(arm: ArmStatistics): ArmReport {
  const { confidences, confidenceSum, compared, agreed, rewards, latencies } = arm;
  const quantile = (share: number) => {
    const ms = quantileMs(latencies, share);
    return ms === undefined ? null : roundMs(ms);
  };
  return {
    arm: arm.arm,
    version: arm.version,
    requests: arm.requests,
    errors: arm.errors,
    p50_ms: quantile(0.5),
    p95_ms: quantile(0.95),
    p99_ms: quantile(0.99),
    mean_confidence: confidences === 0 ? null : confidenceSum / confidences,
    agreement: arm.arm === SHADOW && compared > 0 ? agreed / compared : null,
    max_abs_difference: arm.maxAbsDifference,
    feedback: {
      count: arm.outcomes,
      accuracy: arm.judged === 0 ? null : rate(accuracy(arm)),
      mean_reward: rewards.count === 0 ? null : mean(rewards),
    },
  };
}

async function readDisagreements(sql: Sql, model: string): Promise<readonly Disagreement[]> {
  const rows = await sql.query<Disagreement & { at: Date }>(
    `select request_id, version, shadow, max_abs_difference, outputs, shadow_outputs, inputs, at
     from disagreements d left join experiments e using (model)
     where d.model = $1 and d.period >= coalesce(e.first_period, 0) order by d.id desc`,
    [model],
  );
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}
