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

/** @throws {RangeError} when there is nothing to summarise or a value is not finite. */
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
 * Ratio of two series measured in turns: repeat i of one is divided by repeat i of the other, so a
 * machine that is slow for a whole repeat cancels out.
 *
 * @throws {RangeError} when the series are of different length.
 */
export function pairedRatio(above: readonly number[], below: readonly number[]): Summary {
  if (above.length !== below.length) {
    throw new RangeError(
      `Cannot pair ${above.length} measurements with ${below.length}: expected as many of each`,
    );
  }
  return summarise(above.map((value, index) => value / below[index]!));
}

/**
 * What HTTP and the model can reach together when they share the cores: the costs per request add up.
 *
 * @param bare Requests per second of the bare floor.
 * @param raw Items per second of the raw loop.
 */
export function additiveLimit(bare: number, raw: number): number {
  return 1 / (1 / bare + 1 / raw);
}
