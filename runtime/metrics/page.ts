/** @module A page of metrics that are read when it is rendered, and not counted by prom-client. */

import { type Counter, Registry } from 'prom-client';
import type { Histogram } from '../../native/index.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the metric's own, as those of a histogram's lines are not. */
  readonly metricName?: string;
}

/** Adds a metric: its name, and how its samples are read. */
export type AddMetric = (
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  help: string,
  samples: () => Sample[],
) => void;

export interface Page {
  readonly add: AddMetric;
  readonly contentType: string;
  /** The page in Prometheus' text format. */
  render(): Promise<string>;
}

export function createPage(): Page {
  const registry = new Registry();
  return {
    add(name, type, help, samples) {
      // prom-client's own classes count in JavaScript, which would be one thread's share: a metric
      // here is only a name and a way to read its samples.
      const get = () => ({ name, help, type, values: samples() });
      const metric = { name, help, type, aggregator: 'sum', get };
      registry.registerMetric(metric as unknown as Counter);
    },
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}

/** A native histogram as Prometheus' bucket, sum and count lines. */
export function spread(
  name: string,
  labels: Labels,
  { bounds, counts, count, sum }: Histogram,
): Sample[] {
  const buckets = bounds.map((bound, i) => ({
    labels: { ...labels, le: String(bound) },
    value: counts[i]!,
    metricName: `${name}_bucket`,
  }));
  return [
    ...buckets,
    { labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` },
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
