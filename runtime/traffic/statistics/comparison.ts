/** @module The result of a comparison of two arms. */

export interface Comparison {
  /** That of the first arm minus that of the second; of latencies the ratio. */
  readonly difference: number;
  /** Contains the true value with a probability of 95 %. */
  readonly interval: readonly [number, number];
  /** The two-sided probability of a difference at least as large if there is none. */
  readonly pValue: number;
}

/** The probability outside the interval, on each side. */
export const HALF = 0.025;

/** The two-sided p-value from those of the two sides. */
export const twoSided = (a: number, b: number): number => Math.min(2 * Math.min(a, b), 1);
