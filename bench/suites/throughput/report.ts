/** @module The tables of the throughput suite. */
import type { GateResult } from '../../lib/gates.ts';
import { rateTable } from '../../lib/rate-table.ts';
import type { Row } from '../../lib/row.ts';
import { additiveLimit, type Summary, summarise } from '../../lib/stats.ts';
import { figure } from '../../lib/table.ts';
import { judgeRatios } from './ratios.ts';

export interface ThroughputReport {
  readonly text: string;
  readonly gates: readonly GateResult[];
}

export function reportThroughput(rows: readonly Row[]): ThroughputReport {
  const models = [...new Set(rows.map((row) => row.model))];
  const sections = models.map((model) => {
    const own = rows.filter((row) => row.model === model);
    return [`Model ${model}`, rateTable(own), ...sharesOfLimit(own), ...addedLatency(own)].join(
      '\n',
    );
  });
  return { text: sections.join('\n\n'), gates: judgeRatios(rows) };
}

/** The rate of each server ÷ the additive limit, for every number of requests in flight. */
function sharesOfLimit(rows: readonly Row[]): string[] {
  const raw = ratesOf(rows, 'raw');
  if (!raw) return [];
  const widths = new Set(rows.flatMap((row) => (row.http ? [row.width] : [])));
  return [...widths].flatMap((width) => {
    const bare = ratesOf(rows, 'bare-floor', width);
    if (!bare) return [];
    const limit = additiveLimit(bare.median, raw.median);
    const shares = ['ours', 'onnxruntime-node'].flatMap((name) => {
      const rate = ratesOf(rows, name, width);
      return rate ? [`${name} ${(rate.median / limit).toFixed(2)} of it`] : [];
    });
    return [`Additive limit at C=${width}: ${figure(limit)}/s; ${shares.join(', ')}`];
  });
}

/** The latency of a single request without HTTP and the run. */
function addedLatency(rows: readonly Row[]): string[] {
  const bare = meanUs(rows, 'bare-floor');
  const run = ratesOf(rows, 'raw-one');
  if (bare === undefined || !run) return [];
  return ['ours', 'onnxruntime-node'].flatMap((name) => {
    const mean = meanUs(rows, name);
    if (mean === undefined) return [];
    const added = mean - bare - 1e6 / run.median;
    return [
      `Added latency at C=1, ${name}: ${figure(added)} µs (mean ${figure(mean)} − bare floor ${figure(bare)} − run ${figure(1e6 / run.median)})`,
    ];
  });
}

function meanUs(rows: readonly Row[], contender: string): number | undefined {
  const means = rows.flatMap((row) =>
    row.contender === contender && row.width === 1 && row.http ? [row.http.meanMs * 1000] : [],
  );
  return means.length > 0 ? summarise(means).median : undefined;
}

function ratesOf(rows: readonly Row[], contender: string, width?: number): Summary | undefined {
  const rates = rows.flatMap((row) =>
    row.contender === contender && (width === undefined || row.width === width)
      ? [row.perSecond]
      : [],
  );
  return rates.length > 0 ? summarise(rates) : undefined;
}
