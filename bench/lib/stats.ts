/**
 * Medians, spreads and ratios of repeated measurements. Pure functions.
 *
 * @module
 */

/** Several measurements of one quantity, in the quantity's own unit. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** (max − min) / median: 0 for a single measurement or a median of 0. */
  readonly spread: number;
}

/** Summarises repeats. @throws {RangeError} if there are no values, or one is not finite. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('Cannot summarise an empty list of measurements');
  if (!values.every(Number.isFinite)) {
    throw new RangeError(`Cannot summarise a measurement that is not finite: ${values.join(', ')}`);
  }
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
  const min = sorted[0]!;
  const max = sorted.at(-1)!;
  return {
    count: sorted.length,
    median,
    min,
    max,
    spread: median === 0 ? 0 : (max - min) / median,
  };
}

/**
 * The ratios of two interleaved series. Repeat i of one is divided by repeat i of the other, so that a slow machine
 * during a whole repeat cancels out.
 *
 * @throws {RangeError} if the series have different lengths.
 */
export function pairedRatios(above: readonly number[], below: readonly number[]): number[] {
  if (above.length !== below.length) {
    throw new RangeError(
      `Cannot pair ${above.length} measurements with ${below.length}: expected as many of each`,
    );
  }
  return above.map((value, index) => value / below[index]!);
}

/**
 * The rate that HTTP and the model can reach together on the same cores: their costs per request add up.
 *
 * @param bare Requests per second of the bare floor.
 * @param raw Items per second of the raw loop.
 */
export function additiveLimit(bare: number, raw: number): number {
  return 1 / (1 / bare + 1 / raw);
}

/** Statistics of a distribution of latencies, in the latencies' unit. */
export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws {RangeError} if there are no values. */
export function percentiles(values: ArrayLike<number>): Percentiles {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) throw new RangeError('Cannot take percentiles of nothing');
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    max: sorted.at(-1)!,
  };
}

/**
 * The smallest value that `share` per cent of the values do not exceed.
 *
 * @param sorted Ascending, not empty.
 */
export function percentile(sorted: Float64Array, share: number): number {
  const rank = Math.ceil((share / 100) * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!;
}
