/** @module What `/metrics` shows. Decision record 0016 says where it is counted and how it is named. */

import type { Counters } from '../../native/index.ts';
import type { ModelVersion } from '../model.ts';
import {
  type CountedSeries,
  type CounterSeries,
  countedHistogram,
  countedNumber,
  type GaugeSeries,
  type HistogramSeries,
  histogramSamples,
  type Metric,
  type MetricOptions,
  readCounted,
  withNames,
} from './counted.ts';
import { modelMetrics, readModel } from './models.ts';
import { processMetrics } from './process.ts';
import { CONTENT_TYPE, formatMetric, type MetricHead, type Sample } from './text-format.ts';

export type {
  CounterSeries,
  GaugeSeries,
  HistogramSeries,
  Metric,
  MetricOptions,
} from './counted.ts';
export type { Sample } from './text-format.ts';

/** Bounds for durations of requests, seconds: from the fastest model to the longest load. */
const REQUEST_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  30, 60, 120,
] as const;

export type HttpLabel = 'method' | 'route' | 'status' | 'service';
export type GrpcLabel = 'method' | 'code' | 'service';

export interface Metrics {
  /** Durations of HTTP requests. `route` is a template, never the path that a client wrote. */
  readonly http: Metric<HttpLabel, HistogramSeries>;
  /** Durations of gRPC calls. `code` is gRPC's number. */
  readonly grpc: Metric<GrpcLabel, HistogramSeries>;
  /** Adds a metric that only goes up. Its name ends in `_total`. */
  counter<Label extends string>(options: MetricOptions<Label>): Metric<Label, CounterSeries>;
  /** Adds a metric that goes up and down, moved by every thread of the process. */
  gauge<Label extends string>(options: MetricOptions<Label>): Metric<Label, GaugeSeries>;
  /** Adds a metric of durations. @param bounds Upper bounds of its cells in seconds, ascending. */
  histogram<Label extends string>(
    options: MetricOptions<Label>,
    bounds: readonly number[],
  ): Metric<Label, HistogramSeries>;
  /** Adds a metric whose samples are read when the page is rendered. */
  onScrape(head: MetricHead, read: () => readonly Sample[]): void;
  readonly contentType: string;
  /** The page. It is about the whole process, whichever thread renders it. */
  render(): string;
}

/** A metric and how its samples are found among all that has been counted. */
interface Row {
  readonly head: MetricHead;
  read(counted: ReadonlyMap<string, readonly CountedSeries[]>): readonly Sample[];
}

/** @param versions The versions that are loaded at the time of a scrape. */
export function createMetrics(
  counters: Counters,
  versions: () => readonly ModelVersion[],
): Metrics {
  const rows: Row[] = [];
  const addRow = (row: Row) => {
    const { name } = row.head;
    if (rows.some(({ head }) => head.name === name)) throw new Error(`${name} is declared twice`);
    rows.push(row);
  };
  const add = (type: MetricHead['type'], options: MetricOptions<string>, from = options.name) => {
    const { name, help, labels } = options;
    const sampled = ({ labels: values, histogram }: CountedSeries): Sample[] => {
      const named = withNames(labels, values);
      if (type === 'histogram') return histogramSamples(named, histogram);
      return [{ labels: named, value: histogram.count }];
    };
    addRow({
      head: { name, type, help },
      read: (counted) => (counted.get(from) ?? []).flatMap(sampled),
    });
  };
  const histogram: Metrics['histogram'] = (options, bounds) => {
    add('histogram', options);
    return countedHistogram(counters, options, bounds);
  };
  /** A histogram of requests, with the number of them under a name of its own. */
  const requests = <Label extends string>(total: string, options: MetricOptions<Label>) => {
    add('counter', { ...options, name: total, help: 'Number of requests' }, options.name);
    return histogram(options, REQUEST_BOUNDS);
  };
  const onProcess = processMetrics();
  return {
    http: requests('http_requests_total', {
      name: 'http_request_duration_seconds',
      help: 'Time from the headers of an HTTP request to its response',
      labels: ['method', 'route', 'status', 'service'],
    }),
    grpc: requests('grpc_requests_total', {
      name: 'grpc_request_duration_seconds',
      help: 'Time from the start of a gRPC call to its end',
      labels: ['method', 'code', 'service'],
    }),
    counter(options) {
      add('counter', options);
      return countedNumber(counters, options);
    },
    gauge(options) {
      add('gauge', options);
      return countedNumber(counters, options);
    },
    histogram,
    onScrape: (head, read) => addRow({ head, read }),
    contentType: CONTENT_TYPE,
    render() {
      // Each source is read once for the whole page, so that its numbers agree with each other.
      const counted = readCounted(counters);
      const models = versions().map(readModel);
      return [
        ...rows.map(({ head, read }) => formatMetric(head, read(counted))),
        ...modelMetrics.map(({ samples, ...head }) => formatMetric(head, models.flatMap(samples))),
        ...onProcess.map(({ value, ...head }) =>
          formatMetric(head, [{ labels: {}, value: value() }]),
        ),
      ].join('\n');
    },
  };
}
