/** @module Compares the arms of an experiment in pairs. */

import { SHADOW } from '../routing/observer.ts';
import { type ArmStatistics, accuracy, errorRate } from './arm-statistics.ts';
import type { Comparison } from './statistics/comparison.ts';
import { compareQuantiles } from './statistics/latencies.ts';
import { compareMeans } from './statistics/means.ts';
import { compareRates } from './statistics/proportions.ts';

/** How two arms differ in one respect, as clients see it. */
export interface Pair {
  /** The names of the two arms. */
  readonly a: string;
  readonly b: string;
  readonly metric: MetricName;
  /** That of `a` minus that of `b`; of `p99_ratio` the quotient. */
  readonly difference: number;
  readonly interval_95: readonly [number, number];
  /** Two-sided, for a single look at the data. */
  readonly p_value: number;
  readonly sentence: string;
}

type MetricName = 'error_rate' | 'p99_ratio' | 'accuracy' | 'mean_reward';

interface Metric {
  readonly name: MetricName;
  /** As in a sentence. */
  readonly title: string;
  compare(a: ArmStatistics, b: ArmStatistics): Comparison | undefined;
  /** What `a` does if it has the higher value, and if it has the lower one. */
  readonly higher: string;
  readonly lower: string;
  /** The value without a difference; 1 if the value is a ratio. */
  readonly none: 0 | 1;
  format(value: number): string;
}

const number = (value: number): string => String(Number(value.toPrecision(3)));
const points = (value: number): string => `${number(100 * value)} %`;

const METRICS: readonly Metric[] = [
  {
    name: 'error_rate',
    title: 'share of requests that fail',
    compare: (a, b) => compareRates(errorRate(a), errorRate(b)),
    higher: 'fails more often than',
    lower: 'fails less often than',
    none: 0,
    format: points,
  },
  {
    name: 'p99_ratio',
    title: '99th percentile of the latency',
    compare: (a, b) => compareQuantiles(a.latencies, b.latencies, 0.99),
    higher: 'is slower than',
    lower: 'is faster than',
    none: 1,
    format: number,
  },
  {
    name: 'accuracy',
    title: 'accuracy',
    compare: (a, b) => compareRates(accuracy(a), accuracy(b)),
    higher: 'is right more often than',
    lower: 'is right less often than',
    none: 0,
    format: points,
  },
  {
    name: 'mean_reward',
    title: 'mean reward',
    compare: (a, b) => compareMeans(a.rewards, b.rewards),
    higher: 'gets higher rewards than',
    lower: 'gets lower rewards than',
    none: 0,
    format: number,
  },
];

const LEVEL = 0.05;

/** Every pair of arms that respond to clients, in every respect in which both have data. */
export function comparePairs(arms: readonly ArmStatistics[]): readonly Pair[] {
  // The latency of a shadow is that of copies, which wait for all other requests.
  const responding = arms.filter(({ arm }) => arm !== SHADOW).map(named);
  return responding.flatMap((a, i) =>
    responding.slice(i + 1).flatMap((b) => METRICS.flatMap((metric) => toPair(metric, a, b))),
  );
}

/** An arm by its version where several versions are `stable`. */
function named(arm: ArmStatistics, _: number, all: readonly ArmStatistics[]): ArmStatistics {
  const isShared = all.filter((other) => other.arm === arm.arm).length > 1;
  return isShared ? { ...arm, arm: arm.version } : arm;
}

function toPair(metric: Metric, a: ArmStatistics, b: ArmStatistics): Pair[] {
  const compared = metric.compare(a, b);
  if (compared === undefined) return [];
  const { difference, interval, pValue } = compared;
  return [
    {
      a: a.arm,
      b: b.arm,
      metric: metric.name,
      difference,
      interval_95: interval,
      p_value: pValue,
      sentence: sentenceOf(metric, a.arm, b.arm, compared),
    },
  ];
}

function sentenceOf(metric: Metric, a: string, b: string, compared: Comparison): string {
  const { difference, interval, pValue } = compared;
  const isRatio = metric.none === 1;
  const unit = isRatio ? 'a factor of ' : '';
  const range = ([low, high]: Comparison['interval']) =>
    `95 % interval ${unit}${metric.format(low)} to ${metric.format(high)}`;
  if (pValue >= LEVEL) {
    return `'${a}' and '${b}' do not differ clearly in the ${metric.title} (${range(interval)}).`;
  }
  if (difference > metric.none) {
    return `'${a}' ${metric.higher} '${b}', by ${unit}${metric.format(difference)} (${range(interval)}).`;
  }
  // The verb says already which is the lower one.
  const opposite = (value: number) => (isRatio ? 1 / value : -value);
  const [low, high] = interval;
  const size = metric.format(opposite(difference));
  return `'${a}' ${metric.lower} '${b}', by ${unit}${size} (${range([opposite(high), opposite(low)])}).`;
}
