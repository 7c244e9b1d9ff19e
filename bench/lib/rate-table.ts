/** @module Rates and costs of contenders as a table. */
import type { Row } from './row.ts';
import type { HttpFigures } from './servers.ts';
import { summarise } from './stats.ts';
import { figure, spread, table } from './table.ts';

/** One line for each contender and number of requests in flight: medians over the repeats. */
export function rateTable(rows: readonly Row[]): string {
  const header = [
    ...['contender', 'in flight', 'per second', 'spread', 'CPU µs', 'spread'],
    ...['driver CPU µs', 'on CPU', 'busy', 'p50 ms', 'p99 ms', 'other cores', 'note'],
  ];
  const first = rows.filter((row) => row.repeat === 0);
  const groups = first.map(({ contender, width }) =>
    rows.filter((row) => row.contender === contender && row.width === width),
  );
  return table(header, groups.map(rateLine));
}

function rateLine(group: readonly Row[]): string[] {
  const { contender, width } = group[0]!;
  const rate = summarise(group.map((row) => row.perSecond));
  const cpu = summarise(group.map((row) => row.serverCpuUs));
  const https = group.flatMap((row) => (row.http ? [row.http] : []));
  const median = (of: (figures: HttpFigures) => number, digits?: number) => {
    if (https.length === 0) return '';
    const value = summarise(https.map(of)).median;
    return digits === undefined ? figure(value) : value.toFixed(digits);
  };
  return [
    contender,
    String(width),
    figure(rate.median),
    spread(rate.spread),
    figure(cpu.median),
    spread(cpu.spread),
    median((http) => http.driverCpuUs),
    median((http) => http.busiest.onCpu, 2),
    median((http) => http.busiest.busy, 2),
    median((http) => http.p50Ms),
    median((http) => http.p99Ms),
    median((http) => http.otherCores, 2),
    group.find((row) => row.failure)?.failure ?? '',
  ];
}
