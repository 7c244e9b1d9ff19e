/** @module What the policy suite's processes are given and what they print. */
import type { BenchModel } from '../../lib/models.ts';

export interface PolicyTask {
  readonly model: BenchModel;
  readonly features: readonly number[];
  /** The first score expected for them. */
  readonly score: number;
  readonly repeats: number;
  /** Before each measurement, milliseconds. */
  readonly warmUpMs: number;
  /** Length of a measurement of each kind, milliseconds. */
  readonly closedMs: number;
  readonly openMs: number;
}

/** One policy under one load, once. */
export interface PolicyRow {
  readonly policy: string;
  readonly load: string;
  readonly repeat: number;
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Mean rows in a batch. */
  readonly batch: number;
}
