/** @module The loads of the open-loop suite as data, its table, and the figures of its targets. */
import type { OpenResult } from '../../drivers/open-loop.ts';
import type { Outcome } from '../../lib/gates.ts';
import type { Traffic } from '../../lib/schedule.ts';
import { summarise } from '../../lib/stats.ts';
import { figure, table } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';

/** Traffic at a multiple of the capacity that was measured in the same repeat. */
export interface OpenScenario {
  readonly name: string;
  readonly traffic: Traffic;
  readonly share: number;
  /** Whether requests carry a deadline. */
  readonly deadline: boolean;
  readonly target?: 'T8';
}

const poisson: Traffic = { kind: 'poisson' };

export const scenarios: readonly OpenScenario[] = [
  { name: 'Poisson 0.7 ×', traffic: poisson, share: 0.7, deadline: true },
  { name: 'Poisson 1.3 ×', traffic: poisson, share: 1.3, deadline: true, target: 'T8' },
  { name: 'Poisson 2 ×', traffic: poisson, share: 2, deadline: true, target: 'T8' },
  {
    name: 'bursts 0.7 ×',
    traffic: { kind: 'bursts', periodMs: 100, high: 1.9 },
    share: 0.7,
    deadline: true,
  },
  { name: 'Poisson 1.3 ×, no deadlines', traffic: poisson, share: 1.3, deadline: false },
];

export interface OpenRow extends OpenResult {
  readonly scenario: string;
  readonly repeat: number;
  /** Responses per second of a closed loop in the same repeat. */
  readonly capacity: number;
  readonly seconds: number;
  /** Share of the time that the server's busiest thread, the instance when there is overload, was on a core. */
  readonly onCpu: number;
  /** The number of cores that other processes kept busy. */
  readonly otherCores: number;
}

/** Responses in time ÷ the possible ones: all offered requests, or the capacity if that is less. */
export function goodput({ inTime, offered, capacity, seconds }: OpenRow): number {
  return inTime / Math.min(offered, capacity * seconds);
}

/** The driver is too slow if requests leave later than this, milliseconds. */
const LONGEST_LAG_MS = 5;

export function openFigures(rows: readonly OpenRow[]): Figure[] {
  return scenarios.flatMap(({ name, target }) => {
    if (target === undefined) return [];
    const own = rows.filter((row) => row.scenario === name);
    return [{ target, aim: '', of: name, outcome: outcomeOf(own) }];
  });
}

function outcomeOf(rows: readonly OpenRow[]): Outcome {
  const failed = rows.reduce((sum, row) => sum + row.failed, 0);
  if (failed > 0)
    return { failed: `${failed} requests had no response, or one that is not a refusal` };
  const lag = summarise(rows.map((row) => row.lagP99Ms)).median;
  if (lag > LONGEST_LAG_MS) {
    return { void: `requests left the driver ${figure(lag)} ms late: it was the limit` };
  }
  return { values: rows.map(goodput) };
}

export function openTable(rows: readonly OpenRow[]): string {
  const header = [
    ...['traffic', 'offered/s', 'in time/s', '÷ possible', 'late', 'refused', 'expired', 'failed'],
    ...['p50 ms', 'p99 ms', 'driver lag ms', 'connections', 'on CPU'],
    'other cores',
  ];
  const lines = scenarios.map(({ name }) => {
    const own = rows.filter((row) => row.scenario === name);
    const median = (of: (row: OpenRow) => number) => figure(summarise(own.map(of)).median);
    const share = (of: (row: OpenRow) => number) =>
      `${(summarise(own.map((row) => of(row) / row.offered)).median * 100).toFixed(1)} %`;
    return [
      name,
      median((row) => row.offered / row.seconds),
      median((row) => row.inTime / row.seconds),
      median(goodput),
      share((row) => row.late),
      share((row) => row.refused),
      share((row) => row.expired),
      share((row) => row.failed),
      median((row) => row.p50Ms),
      median((row) => row.p99Ms),
      median((row) => row.lagP99Ms),
      median((row) => row.connections),
      summarise(own.map((row) => row.onCpu)).median.toFixed(2),
      summarise(own.map((row) => row.otherCores)).median.toFixed(2),
    ];
  });
  const capacity = summarise(rows.map((row) => row.capacity)).median;
  return `Capacity: ${figure(capacity)} responses per second\n${table(header, lines)}`;
}
