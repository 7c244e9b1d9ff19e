/** @module The parameters and output of the policy suite's processes. */
import type { BenchModel } from '../../lib/models.ts';

export interface PolicyTask {
  readonly model: BenchModel;
  readonly features: readonly number[];
  /** The expected first score. */
  readonly score: number;
  readonly repeats: number;
  /** Time before each measurement, milliseconds. */
  readonly warmUpMs: number;
  /** Length of a measurement of each kind, milliseconds. */
  readonly closedMs: number;
  readonly openMs: number;
}

/** One measurement of a policy under a load. */
export interface PolicyRow {
  readonly policy: string;
  readonly load: string;
  readonly repeat: number;
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Mean rows per batch. */
  readonly batch: number;
}
