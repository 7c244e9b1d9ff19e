/** @module Ratios of contenders that were measured in turns. */
import type { Outcome } from './gates.ts';
import type { Row } from './row.ts';
import { summarise } from './stats.ts';

/** Requests in flight of a saturation figure. */
export const MANY = 64;
/** A saturation figure is valid only if the busiest thread of every server in it was at least this busy. */
const SATURATED = 0.95;

/** The quantity of a ratio, for a contender in one repeat. */
export type Quantity = (contender: string) => number;

export interface Ratio {
  readonly name: string;
  /** Requests in flight. */
  readonly at: number;
  readonly needs: readonly string[];
  /** The column of the rows that it divides. Default: `perSecond`. */
  readonly of?: 'perSecond' | 'serverCpuUs';
  value(quantity: Quantity): number;
}

/** The ratio in each repeat, or the reason why it is missing. @param all Rows of one model. */
export function outcomeOf(ratio: Ratio, all: readonly Row[]): Outcome {
  const rows = all.filter((row) => isPart(ratio, row));
  const missing = ratio.needs.find((need) => !rows.some((row) => row.contender === need));
  if (missing) return { void: `${missing} was not measured` };
  const broken = rows.find((row) => row.failure);
  if (broken) return { failed: `${broken.contender}: ${broken.failure}` };
  const { at, of = 'perSecond' } = ratio;
  // The driver limits the rate of a server that is not saturated, but not the CPU time of its requests.
  const idle = at === MANY && of === 'perSecond' ? unsaturated(rows) : undefined;
  return idle ? { void: idle } : { values: perRepeat(ratio, rows) };
}

/** The raw loop has no requests in flight: its width is the batch size. */
function isPart(ratio: Ratio, row: Row): boolean {
  const { contender, width } = row;
  return ratio.needs.includes(contender) && (contender === 'raw' || width === ratio.at);
}

/** The ratio in each repeat, so that a contender is compared with one measured at the same time. */
function perRepeat(ratio: Ratio, rows: readonly Row[]): number[] {
  const { of = 'perSecond' } = ratio;
  const repeats = new Set(rows.map((row) => row.repeat));
  return [...repeats].map((repeat) =>
    ratio.value((name) => rows.find((row) => row.contender === name && row.repeat === repeat)![of]),
  );
}

/** A message about the first server that was not saturated, or undefined. */
function unsaturated(rows: readonly Row[]): string | undefined {
  for (const contender of new Set(rows.map((row) => row.contender))) {
    const busy = rows.flatMap((row) =>
      row.contender === contender && row.http ? [row.http.busiest.busy] : [],
    );
    if (busy.length === 0) continue;
    const { median } = summarise(busy);
    if (median < SATURATED) {
      return `the busiest thread of ${contender} was only ${median.toFixed(2)} busy: the driver is the limit`;
    }
  }
  return undefined;
}
