/** @module Every suite by name, in the order in which they run. */
import { block } from './block/index.ts';
import { boundary } from './boundary/index.ts';
import { codec } from './codec.ts';
import { memory } from './memory.ts';
import { openLoop } from './open-loop/index.ts';
import { platform } from './platform/index.ts';
import { policy } from './policy/index.ts';
import { queue } from './queue/index.ts';
import { threads } from './threads/index.ts';
import { throughput } from './throughput/index.ts';
import type { Plan, SuiteResult } from './types.ts';
import { v2 } from './v2/index.ts';

export const suites: Readonly<Record<string, (plan: Plan) => Promise<SuiteResult>>> = {
  throughput,
  policy,
  boundary,
  queue,
  'open-loop': openLoop,
  threads,
  codec,
  v2,
  platform,
  block,
  memory,
};
