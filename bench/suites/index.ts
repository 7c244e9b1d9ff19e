/** @module Every suite by name, in the order in which they run. */
import { block } from './block/index.ts';
import { memory } from './memory.ts';
import { throughput } from './throughput/index.ts';
import type { Plan, SuiteResult } from './types.ts';

export const suites: Readonly<Record<string, (plan: Plan) => Promise<SuiteResult>>> = {
  throughput,
  block,
  memory,
};
