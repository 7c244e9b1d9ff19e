/** @module The page `/metrics`. Decision record 0016 says where metrics are counted and how they are named. */

import type { Counters } from '../../native/index.ts';
import type { ModelVersion } from '../model.ts';
import { ShortTurns } from '../short-turns.ts';
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
import { modelMetrics, type Reading, readModel } from './models.ts';
import { processMetrics } from './process.ts';
import {
  CONTENT_TYPE,
  formatHead,
  formatSample,
  type MetricHead,
  type Sample,
} from './text-format.ts';

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

/** A metric, and how its samples are selected from all counted series. */
interface Row {
  readonly head: MetricHead;
  read(counted: ReadonlyMap<string, readonly CountedSeries[]>): readonly Sample[];
}

/** The metrics of the process, as one of its threads sees and counts them. */
export class Metrics {
  readonly contentType = CONTENT_TYPE;
  /** Durations of HTTP requests. `route` is a template, never the path that a client wrote. */
  readonly http: Metric<HttpLabel, HistogramSeries>;
  /** Durations of gRPC calls. `code` is gRPC's number. */
  readonly grpc: Metric<GrpcLabel, HistogramSeries>;
  readonly #counters: Counters;
  readonly #versions: () => readonly ModelVersion[];
  readonly #process = processMetrics();
  readonly #rows: Row[] = [];

  /** @param versions The versions that are loaded at the time of a scrape. */
  constructor(counters: Counters, versions: () => readonly ModelVersion[]) {
    this.#counters = counters;
    this.#versions = versions;
    this.http = this.#requests('http_requests_total', {
      name: 'http_request_duration_seconds',
      help: 'Time from the headers of an HTTP request to its response',
      labels: ['method', 'route', 'status', 'service'],
    });
    this.grpc = this.#requests('grpc_requests_total', {
      name: 'grpc_request_duration_seconds',
      help: 'Time from the start of a gRPC call to its end',
      labels: ['method', 'code', 'service'],
    });
  }

  /** Adds a metric that only goes up. Its name ends in `_total`. */
  counter<Label extends string>(options: MetricOptions<Label>): Metric<Label, CounterSeries> {
    this.#declare('counter', options);
    return countedNumber(this.#counters, options);
  }

  /** Adds a metric that goes up and down, moved by every thread of the process. */
  gauge<Label extends string>(options: MetricOptions<Label>): Metric<Label, GaugeSeries> {
    this.#declare('gauge', options);
    return countedNumber(this.#counters, options);
  }

  /** Adds a metric of durations. @param bounds Upper bounds of its cells in seconds, ascending. */
  histogram<Label extends string>(
    options: MetricOptions<Label>,
    bounds: readonly number[],
  ): Metric<Label, HistogramSeries> {
    this.#declare('histogram', options);
    return countedHistogram(this.#counters, options, bounds);
  }

  /** Adds a metric whose samples are read when the page is rendered. */
  onScrape(head: MetricHead, read: () => readonly Sample[]): void {
    this.#add({ head, read });
  }

  /**
   * The page. It is about the whole process, whichever thread renders it. With a thousand models it takes some
   * 80 ms, so that it is written in short turns.
   *
   * @param turns Replaced by tests, which change the models in a pause.
   */
  async render(turns: Pick<ShortTurns, 'pause'> = new ShortTurns()): Promise<string> {
    // Each source is read once for the whole page, so that its numbers agree with each other.
    const counted = readCounted(this.#counters);
    const models = await readModels(this.#versions(), turns);
    const metrics: string[] = [];
    const add = async (head: MetricHead, parts: readonly (() => readonly Sample[])[]) => {
      const lines = [formatHead(head)];
      for (const samples of parts) {
        await turns.pause();
        for (const sample of samples()) lines.push(formatSample(head, sample));
      }
      metrics.push(lines.join(''));
    };
    for (const { head, read } of this.#rows) await add(head, [() => read(counted)]);
    for (const { samples, ...head } of modelMetrics) {
      const parts = models.map((model) => () => samples(model));
      await add(head, parts);
    }
    for (const { value, ...head } of this.#process) {
      await add(head, [() => [{ labels: {}, value: value() }]]);
    }
    return metrics.join('\n');
  }

  /** A histogram of requests, with the number of them under a name of its own. */
  #requests<Label extends string>(
    total: string,
    options: MetricOptions<Label>,
  ): Metric<Label, HistogramSeries> {
    this.#declare('counter', { ...options, name: total, help: 'Number of requests' }, options.name);
    return this.histogram(options, REQUEST_BOUNDS);
  }

  /** @param source The name under which the metric is counted. */
  #declare(
    type: MetricHead['type'],
    { name, help, labels }: MetricOptions<string>,
    source = name,
  ): void {
    const toSamples = ({ labels: values, histogram }: CountedSeries): Sample[] => {
      const named = withNames(labels, values);
      if (type === 'histogram') return histogramSamples(named, histogram);
      return [{ labels: named, value: histogram.count }];
    };
    this.#add({
      head: { name, type, help },
      read: (counted) => (counted.get(source) ?? []).flatMap(toSamples),
    });
  }

  #add(row: Row): void {
    const { name } = row.head;
    if (this.#rows.some(({ head }) => head.name === name)) {
      throw new Error(`The metric ${name} is declared twice`);
    }
    this.#rows.push(row);
  }
}

/** Holds the versions until they are read, because a client may unload them in a pause. */
async function readModels(
  versions: readonly ModelVersion[],
  turns: Pick<ShortTurns, 'pause'>,
): Promise<Reading[]> {
  for (const version of versions) version.hold();
  try {
    const readings: Reading[] = [];
    for (const version of versions) {
      await turns.pause();
      readings.push(readModel(version));
    }
    return readings;
  } finally {
    for (const version of versions) version.release();
  }
}
