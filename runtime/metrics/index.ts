/** @module What `/metrics` shows: native counters, which every HTTP thread shares, rendered by prom-client. */

import { type Counter, collectDefaultMetrics, Registry as Page } from 'prom-client';
import type { Counters, Histogram } from '../native/index.ts';
import type { Log } from './log.ts';
import type { ModelVersion } from './model.ts';

const HTTP_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

const HTTP_DURATION = 'http_request_duration_seconds';
/** What the keys of such series begin with; their method, route and status follow. */
const HTTP_SERIES = `["${HTTP_DURATION}",`;

const GRPC_DURATION = 'grpc_request_duration_seconds';
const GRPC_SERIES = `["${GRPC_DURATION}",`;

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

export interface Metrics {
  /** The native series of one kind of HTTP answer. Look it up once, then observe. */
  httpSeries(method: string, route: string, status: number): number;
  /** The native series of one kind of gRPC answer; `code` is gRPC's number. */
  grpcSeries(method: string, code: number): number;
  /** One answered request, with its duration in seconds. */
  observe(series: number, seconds: number): void;
  readonly contentType: string;
  /** The page in Prometheus' text format. Counts the whole process, whichever thread renders it. */
  render(): Promise<string>;
}

/** @param versions The versions that are loaded at the time of a scrape. */
export function createMetrics(
  counters: Counters,
  versions: () => readonly ModelVersion[],
  log: Log,
): Metrics {
  const page = new Page();
  const add = (name: string, type: string, help: string, samples: () => Sample[]): void => {
    // prom-client's own classes count in JavaScript, which would be one thread's share: a metric
    // here is only a name and a way to read its samples.
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: () => ({ name, help, type, values: samples() }),
    };
    page.registerMetric(metric as unknown as Counter);
  };
  addHttp(add, counters);
  addGrpc(add, counters);
  addModels(add, versions);
  try {
    collectDefaultMetrics({ register: page });
  } catch (error) {
    log.warn({ err: error }, 'this runtime does not give every process metric');
  }
  return {
    httpSeries: (method, route, status) =>
      counters.series(JSON.stringify([HTTP_DURATION, method, route, String(status)]), HTTP_BOUNDS),
    grpcSeries: (method, code) =>
      counters.series(JSON.stringify([GRPC_DURATION, method, String(code)]), HTTP_BOUNDS),
    observe: (series, seconds) => counters.observe(series, seconds),
    contentType: page.contentType,
    render: () => page.metrics(),
  };
}

type Add = (name: string, type: string, help: string, samples: () => Sample[]) => void;

function addHttp(add: Add, counters: Counters): void {
  const answered = () =>
    counters.snapshot().flatMap(({ key, histogram }) => {
      // The counters are the process's, and what others count there is none of ours.
      if (!key.startsWith(HTTP_SERIES)) return [];
      const [, method, route, status] = JSON.parse(key) as string[];
      return [{ labels: { method: method!, route: route!, status: status! }, histogram }];
    });
  add('http_requests_total', 'counter', 'HTTP requests answered', () =>
    answered().map(({ labels, histogram }) => ({ labels, value: histogram.count })),
  );
  add(HTTP_DURATION, 'histogram', 'Time from a request’s headers to its answer', () =>
    answered().flatMap(({ labels, histogram }) => spread(HTTP_DURATION, labels, histogram)),
  );
}

function addGrpc(add: Add, counters: Counters): void {
  const answered = () =>
    counters.snapshot().flatMap(({ key, histogram }) => {
      if (!key.startsWith(GRPC_SERIES)) return [];
      const [, method, code] = JSON.parse(key) as string[];
      return [{ labels: { method: method!, code: code! }, histogram }];
    });
  add('grpc_requests_total', 'counter', 'gRPC calls answered', () =>
    answered().map(({ labels, histogram }) => ({ labels, value: histogram.count })),
  );
  add(GRPC_DURATION, 'histogram', 'Time from a gRPC call to its answer', () =>
    answered().flatMap(({ labels, histogram }) => spread(GRPC_DURATION, labels, histogram)),
  );
}

function addModels(add: Add, versions: () => readonly ModelVersion[]): void {
  const each = (sample: (version: ModelVersion, labels: Labels) => Sample[]) => () =>
    versions().flatMap((version) =>
      sample(version, { model: version.model, version: version.version }),
    );

  const runTime = 'model_inference_duration_seconds';
  add(
    runTime,
    'histogram',
    'Time a batch ran',
    each((version, labels) => spread(runTime, labels, version.stats().compute)),
  );
  const waitTime = 'model_queue_duration_seconds';
  add(
    waitTime,
    'histogram',
    'Time a request waited for its batch',
    each((version, labels) => spread(waitTime, labels, version.stats().queue)),
  );
  add(
    'model_requests_total',
    'counter',
    'Requests given to a model, by how they ended',
    each((version, labels) => {
      const { completed, failed, cancelled, expired, rejected } = version.stats();
      return Object.entries({ completed, failed, cancelled, expired, rejected }).map(
        ([outcome, value]) => ({
          labels: { ...labels, outcome },
          value,
        }),
      );
    }),
  );
  add(
    'model_batches_total',
    'counter',
    'Batches run',
    each((version, labels) => [{ labels, value: version.stats().batches }]),
  );
  add(
    'model_batch_rows_total',
    'counter',
    'Rows in the batches run',
    each((version, labels) => [{ labels, value: version.stats().rows }]),
  );
  add(
    'model_queue_depth',
    'gauge',
    'Requests waiting for a batch',
    each((version, labels) => [{ labels, value: version.stats().queued }]),
  );
  add(
    'model_running',
    'gauge',
    'Requests in a batch that runs',
    each((version, labels) => [{ labels, value: version.stats().running }]),
  );
  add(
    'model_info',
    'gauge',
    'Where a model runs; fallback is 1 when it is not the device asked for',
    each((version, labels) => [
      {
        labels: {
          ...labels,
          device: version.device,
          fallback: version.fallback === '' ? '0' : '1',
        },
        value: 1,
      },
    ]),
  );
}

/** A native histogram as Prometheus' bucket, sum and count lines. */
function spread(name: string, labels: Labels, { bounds, counts, count, sum }: Histogram): Sample[] {
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
