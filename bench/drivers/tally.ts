/** @module Counts the requests of an open loop by outcome. */
import { percentile } from '../lib/stats.ts';
import type { OpenResult } from './open-loop.ts';

const UNAVAILABLE = 503;
const TIMED_OUT = 504;

export class Tally {
  readonly #inTimeMs: number;
  readonly #latencies: number[] = [];
  readonly #lags: number[] = [];
  #inTime = 0;
  #refused = 0;
  #expired = 0;
  #failed = 0;

  /** @param inTimeMs Maximum latency of a response in time, milliseconds. */
  constructor(inTimeMs: number) {
    this.#inTimeMs = inTimeMs;
  }

  /** Counts a request that was sent `lagMs` after it was due. */
  sent(lagMs: number): void {
    this.#lags.push(lagMs);
  }

  /** Counts a response that came `latencyMs` after its request was due. */
  responded(status: number, latencyMs: number): void {
    if (status === UNAVAILABLE) this.#refused += 1;
    else if (status === TIMED_OUT) this.#expired += 1;
    else if (status < 200 || status > 299) this.#failed += 1;
    else {
      this.#latencies.push(latencyMs);
      if (latencyMs <= this.#inTimeMs) this.#inTime += 1;
    }
  }

  /** Counts a request without a response. */
  failed(): void {
    this.#failed += 1;
  }

  result(): Omit<OpenResult, 'connections' | 'cpuSeconds'> {
    const completed = this.#latencies.length;
    return {
      offered: completed + this.#refused + this.#expired + this.#failed,
      inTime: this.#inTime,
      late: completed - this.#inTime,
      refused: this.#refused,
      expired: this.#expired,
      failed: this.#failed,
      p50Ms: at(this.#latencies, 50),
      p99Ms: at(this.#latencies, 99),
      lagP99Ms: at(this.#lags, 99),
    };
  }
}

function at(values: readonly number[], share: number): number {
  return values.length === 0 ? 0 : percentile(Float64Array.from(values).sort(), share);
}
