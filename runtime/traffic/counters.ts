/** @module What one HTTP thread counts about the arms of routes until it is written to the database. */

import { type Comparison, type Observation, type Observer, SHADOW } from '../routing/observer.ts';
import { BUCKETS, bucketOf } from './statistics/latencies.ts';

/** Counts of one arm. */
export class ArmCounts {
  readonly model: string;
  readonly period: number;
  readonly arm: string;
  readonly version: string;
  requests = 0;
  errors = 0;
  confidences = 0;
  confidenceSum = 0;
  compared = 0;
  agreed = 0;
  maxAbsDifference: number | undefined;
  /** Requests by the bucket of their latency. */
  readonly latencies = new Uint32Array(BUCKETS);

  constructor(model: string, period: number, arm: string, version: string) {
    this.model = model;
    this.period = period;
    this.arm = arm;
    this.version = version;
  }

  add(latencyMs: number, failed: boolean): void {
    this.requests += 1;
    if (failed) this.errors += 1;
    const bucket = bucketOf(latencyMs);
    this.latencies[bucket] = this.latencies[bucket]! + 1;
  }
}

/** A request for which an outcome may be reported. */
export interface Answer {
  readonly requestId: string;
  readonly arm: ArmCounts;
  readonly prediction: unknown;
}

/** What is written at once. */
export interface Batch {
  readonly arms: readonly ArmCounts[];
  readonly answers: readonly Answer[];
  readonly disagreements: readonly Comparison[];
}

/** Requests for which outcomes may be reported: so many at once, and in the long run so many each second. */
const ANSWERS_AT_ONCE = 10_000;
const ANSWERS_PER_SECOND = 100;

/** The disagreements that are kept for each model. */
export const MAX_DISAGREEMENTS = 100;

/** Counts requests. Its methods only add, because they run during requests. */
export class Counters implements Observer {
  #byModel = new Map<string, ArmCounts[]>();
  #answers: Answer[] = [];
  #disagreements: Comparison[] = [];
  /** Answers that may still be recorded. */
  #room = ANSWERS_AT_ONCE;

  observe(observation: Observation): void {
    const { model, period, arm, version, latencyMs, failed, confidence } = observation;
    const counts = this.#find(model, period, arm, version);
    counts.add(latencyMs, failed);
    if (confidence !== undefined) {
      counts.confidences += 1;
      counts.confidenceSum += confidence;
    }
    if (this.#room <= 0) return;
    this.#room -= 1;
    const { requestId, prediction } = observation;
    this.#answers.push({ requestId, arm: counts, prediction });
  }

  compared(comparison: Comparison): void {
    const { model, period, shadow, latencyMs, failed, agrees, maxAbsDifference } = comparison;
    const counts = this.#find(model, period, SHADOW, shadow);
    counts.add(latencyMs, failed);
    if (agrees === undefined) return;
    counts.compared += 1;
    if (agrees) counts.agreed += 1;
    else if (this.#disagreements.length < MAX_DISAGREEMENTS) this.#disagreements.push(comparison);
    if (maxAbsDifference !== undefined) {
      counts.maxAbsDifference = Math.max(counts.maxAbsDifference ?? 0, maxAbsDifference);
    }
  }

  /** Makes room for the answers of one more second. To be called each second. */
  makeRoom(): void {
    const most = ANSWERS_AT_ONCE - this.#answers.length;
    this.#room = Math.min(this.#room + ANSWERS_PER_SECOND, most);
  }

  /** Takes what was counted since the last call; undefined if that is nothing. */
  take(): Batch | undefined {
    if (this.#byModel.size === 0) return undefined;
    const batch: Batch = {
      arms: [...this.#byModel.values()].flat(),
      answers: this.#answers,
      disagreements: this.#disagreements,
    };
    this.#byModel = new Map();
    this.#answers = [];
    this.#disagreements = [];
    return batch;
  }

  /** The counts of an arm. A model has few arms, so that they are found faster in a list than by a joined key. */
  #find(model: string, period: number, arm: string, version: string): ArmCounts {
    let arms = this.#byModel.get(model);
    if (arms === undefined) {
      arms = [];
      this.#byModel.set(model, arms);
    }
    for (const counts of arms) {
      if (counts.version === version && counts.arm === arm && counts.period === period) {
        return counts;
      }
    }
    const counts = new ArmCounts(model, period, arm, version);
    arms.push(counts);
    return counts;
  }
}
