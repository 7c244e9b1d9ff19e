/**
 * Metrics that JavaScript counts. They are counted in the engine, so that all HTTP threads of the process
 * count in the same place, and any of them can render the page with the counts of all.
 *
 * @module
 */

import type { Counters, Histogram } from '../../native/index.ts';
import type { Labels, Sample } from './text-format.ts';

/** The name of a metric, and the labels that distinguish its series. */
export interface MetricOptions<Label extends string> {
  readonly name: string;
  /** A sentence for readers of the page. */
  readonly help: string;
  /** Each combination of values is a series, which is never removed. A process may have 4,096 series. */
  readonly labels: readonly Label[];
}

/** A metric with a series for each combination of label values. */
export interface Metric<Label extends string, Series> {
  /** Finds or creates a series. Look it up once, then count. @throws {MillraceError} `RESOURCE_EXHAUSTED` */
  series(labels: Readonly<Record<Label, string>>): Series;
}

export interface CounterSeries {
  /** @param amount A whole number that is not negative; default 1. */
  add(amount?: number): void;
}

export interface GaugeSeries {
  /** @param amount A whole number; negative ones count down what the same process has counted up. */
  add(amount: number): void;
}

export interface HistogramSeries {
  /** @param seconds A duration. Negative values and NaN are ignored. */
  observe(seconds: number): void;
}

/** The labels and the counts of a series. */
export interface CountedSeries {
  readonly labels: readonly string[];
  readonly histogram: Histogram;
}

/** Creates a counter, or a gauge, that JavaScript counts. */
export function countedNumber<Label extends string>(
  counters: Counters,
  { name, labels }: MetricOptions<Label>,
): Metric<Label, CounterSeries & GaugeSeries> {
  return {
    series(values) {
      const series = counters.series(keyOf(name, labels, values), []);
      return { add: (amount = 1) => counters.add(series, amount) };
    },
  };
}

/** @param bounds Upper bounds of the cells in seconds, ascending. */
export function countedHistogram<Label extends string>(
  counters: Counters,
  { name, labels }: MetricOptions<Label>,
  bounds: readonly number[],
): Metric<Label, HistogramSeries> {
  return {
    series(values) {
      const series = counters.series(keyOf(name, labels, values), bounds);
      return { observe: (seconds) => counters.observe(series, seconds) };
    },
  };
}

function keyOf<Label extends string>(
  name: string,
  labels: readonly Label[],
  values: Readonly<Record<Label, string>>,
): string {
  return JSON.stringify([name, ...labels.map((label) => values[label])]);
}

/** Every series by the name of its metric. */
export function readCounted(counters: Counters): ReadonlyMap<string, readonly CountedSeries[]> {
  const byName = new Map<string, CountedSeries[]>();
  for (const { key, histogram } of counters.snapshot()) {
    // The counters belong to the process, where other code may use any key.
    if (!key.startsWith('["')) continue;
    const [name, ...labels] = JSON.parse(key) as [string, ...string[]];
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [{ labels, histogram }]);
    else known.push({ labels, histogram });
  }
  return byName;
}

/** The labels of a series, from their names and its values. */
export function withNames(names: readonly string[], values: readonly string[]): Labels {
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

/** The lines of one series of a histogram. */
export function histogramSamples(
  labels: Labels,
  { bounds, counts, count, sum }: Histogram,
): Sample[] {
  const buckets = bounds.map((bound, i) => ({
    labels: { ...labels, le: String(bound) },
    value: counts[i]!,
    suffix: '_bucket' as const,
  }));
  return [
    ...buckets,
    { labels: { ...labels, le: '+Inf' }, value: count, suffix: '_bucket' },
    { labels, value: sum, suffix: '_sum' },
    { labels, value: count, suffix: '_count' },
  ];
}
