/** @module What is kept of the results of runs: the least that a response needs, such as the vector of a text instead of those of its tokens. */

import type { RunResult } from '../native/index.ts';

export interface Reduction {
  /** Distinguishes it from other reductions of the same runs, because results are cached as they are kept. */
  readonly key: string;
  /**
   * What is kept of a result, whose memory can then be freed. It is called as soon as there is a result.
   *
   * @param run The index of its run.
   */
  apply(result: RunResult, run: number): RunResult | Promise<RunResult>;
}
