/** @module The tables of the policy suite and the figures of its targets. */
import { summarise } from '../../lib/stats.ts';
import { figure, spread, table } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { PolicyRow } from './row.ts';

/** A figure of the rows under one load, which is compared with that of another policy. */
interface Comparison {
  readonly target: string;
  readonly aim: string;
  readonly key: 'perSecond' | 'meanMs' | 'p50Ms' | 'p99Ms';
  /** The other policy. */
  readonly than: string;
  readonly loads: readonly string[];
}

const comparisons: readonly Comparison[] = [
  { target: 'T5', aim: '1 ms', key: 'p50Ms', than: 'timer 1 ms', loads: ['C=1'] },
  { target: 'T5', aim: '5 ms', key: 'p50Ms', than: 'timer 5 ms', loads: ['C=1'] },
  { target: 'T6', aim: 'throughput', key: 'perSecond', than: 'busy', loads: ['C=4', 'C=8'] },
  { target: 'T6', aim: 'p99', key: 'p99Ms', than: 'busy', loads: ['C=4', 'C=8'] },
  ...['Poisson 0.3', 'Poisson 0.7'].map(
    (load): Comparison => ({
      ...{ target: 'T7', aim: '', key: 'meanMs', than: 'busy', loads: [load] },
    }),
  ),
];

/** Ours ÷ the policy of a target, for each repeat. */
export function policyFigures(rows: readonly PolicyRow[]): Figure[] {
  return comparisons.flatMap(({ target, aim, key, than, loads }) =>
    loads.map((load): Figure => {
      const values = ratios(rows, load, ['excess', than], (row) => row[key]);
      return { target, aim, of: load, outcome: { values } };
    }),
  );
}

type Of = (row: PolicyRow) => number;

/** `policy` ÷ `than` under one load, for each repeat. */
function ratios(
  rows: readonly PolicyRow[],
  load: string,
  [policy, than]: readonly [string, string],
  of: Of,
): number[] {
  return rows
    .filter((row) => row.load === load && row.policy === policy)
    .map((row) => {
      const other = rows.find(
        (one) => one.load === load && one.policy === than && one.repeat === row.repeat,
      );
      if (other === undefined) throw new Error(`${than} was not measured under ${load}`);
      return of(row) / of(other);
    });
}

/** A line for each load and policy: medians over the repeats. */
export function policyTable(rows: readonly PolicyRow[]): string {
  const header = [
    ...['load', 'policy', 'per second', 'spread', 'rows a batch'],
    ...['mean ms', 'p50 ms', 'p99 ms', '÷ busy: rate', 'mean', 'p99'],
  ];
  const lines = rows
    .filter(({ repeat }) => repeat === 0)
    .map(({ load, policy }) => line(rows, load, policy));
  return table(header, lines);
}

function line(rows: readonly PolicyRow[], load: string, policy: string): string[] {
  const own = rows.filter((row) => row.load === load && row.policy === policy);
  const of = (value: Of) => summarise(own.map(value));
  const beside = (value: Of) =>
    figure(summarise(ratios(rows, load, [policy, 'busy'], value)).median);
  const rate = of((row) => row.perSecond);
  return [
    load,
    policy,
    figure(rate.median),
    spread(rate.spread),
    figure(of((row) => row.batch).median),
    figure(of((row) => row.meanMs).median),
    figure(of((row) => row.p50Ms).median),
    figure(of((row) => row.p99Ms).median),
    beside((row) => row.perSecond),
    beside((row) => row.meanMs),
    beside((row) => row.p99Ms),
  ];
}
