/** @module What a suite is given and what it returns. */
import type { Contender } from '../contenders/types.ts';
import type { Driver } from '../drivers/types.ts';
import type { GateResult } from '../lib/gates.ts';
import type { BenchModel } from '../lib/models.ts';
import type { Figure } from '../lib/target-table.ts';

export interface Plan {
  readonly driver: Driver;
  readonly models: readonly BenchModel[];
  readonly contenders: readonly Contender[];
  readonly connections: readonly number[];
  readonly repeats: number;
  /** Length of one measurement, seconds. */
  readonly seconds: number;
  /** Folder of the built native programs. */
  readonly programs: string;
  /** Folder for files that live as long as the run. */
  readonly scratch: string;
  readonly log: (text: string) => void;
}

export interface SuiteResult {
  readonly name: string;
  /** Everything measured, for the JSON file. */
  readonly data: unknown;
  /** What is printed: titles and tables. */
  readonly text: string;
  /** Gates of its own, besides those among the targets. */
  readonly gates: readonly GateResult[];
  /** What it tells of the targets. */
  readonly figures: readonly Figure[];
}
