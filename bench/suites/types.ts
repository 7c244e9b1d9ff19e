/** @module The parameters and results of a suite. */
import type { Contender } from '../contenders/types.ts';
import type { Driver } from '../drivers/types.ts';
import type { GateResult } from '../lib/gates.ts';
import type { BenchModel } from '../lib/models.ts';
import type { Figure } from '../lib/target-table.ts';

export interface Plan {
  readonly driver: Driver;
  readonly models: readonly BenchModel[];
  readonly contenders: readonly Contender[];
  /** The names of the cases of the V2 suite. */
  readonly cases: readonly string[];
  readonly connections: readonly number[];
  readonly repeats: number;
  /** Length of one measurement, seconds. */
  readonly seconds: number;
  /** Builds the native programs on the first call. Returns their folder. */
  readonly programs: () => Promise<string>;
  /** Folder for temporary files of the run. */
  readonly scratch: string;
  readonly log: (text: string) => void;
}

export interface SuiteResult {
  readonly name: string;
  /** All measurements, for the JSON file. */
  readonly data: unknown;
  /** The printed titles and tables. */
  readonly text: string;
  /** Gates that are not among the targets. */
  readonly gates: readonly GateResult[];
  /** The figures of its targets. */
  readonly figures: readonly Figure[];
}
