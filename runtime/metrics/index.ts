/** @module What `/metrics` shows: native counters, which every HTTP thread shares, rendered by prom-client. */

import type { Counters } from '../../native/index.ts';
import type { ModelVersion } from '../model.ts';
import { addModels, type Reading, readModel } from './models.ts';
import { type AddMetric, createPage, spread } from './page.ts';
import { addProcess } from './process.ts';

const BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** The answers of one protocol: how they are named, and by which labels they are told apart. */
interface Answers {
  readonly total: string;
  readonly totalHelp: string;
  readonly duration: string;
  readonly durationHelp: string;
  readonly labels: readonly string[];
}

const HTTP: Answers = {
  total: 'http_requests_total',
  totalHelp: 'HTTP requests answered',
  duration: 'http_request_duration_seconds',
  durationHelp: 'Time from a request’s headers to its answer',
  labels: ['method', 'route', 'status'],
};

const GRPC: Answers = {
  total: 'grpc_requests_total',
  totalHelp: 'gRPC calls answered',
  duration: 'grpc_request_duration_seconds',
  durationHelp: 'Time from a gRPC call to its answer',
  labels: ['method', 'code'],
};

export interface Metrics {
  /** The native series of one kind of HTTP answer. Look it up once, then observe. */
  httpSeries(method: string, route: string, status: number): number;
  /** The native series of one kind of gRPC answer; `code` is gRPC's number. */
  grpcSeries(method: string, code: number): number;
  /** One answered request, with its duration in seconds. */
  observe(series: number, seconds: number): void;
  readonly contentType: string;
  /** The page in Prometheus' text format. Tells of the whole process, whichever thread renders it. */
  render(): Promise<string>;
}

/** @param versions The versions that are loaded at the time of a scrape. */
export function createMetrics(
  counters: Counters,
  versions: () => readonly ModelVersion[],
): Metrics {
  const { add, contentType, render } = createPage();
  let readings: readonly Reading[] = [];
  addAnswers(add, counters, HTTP);
  addAnswers(add, counters, GRPC);
  addModels(add, () => readings);
  addProcess(add);
  const series = ({ duration }: Answers, values: readonly string[]) =>
    counters.series(JSON.stringify([duration, ...values]), BOUNDS);
  return {
    httpSeries: (method, route, status) => series(HTTP, [method, route, String(status)]),
    grpcSeries: (method, code) => series(GRPC, [method, String(code)]),
    observe: (number, seconds) => counters.observe(number, seconds),
    contentType,
    render() {
      // Once for the whole page, so that its numbers agree with each other.
      readings = versions().map(readModel);
      return render();
    },
  };
}

function addAnswers(add: AddMetric, counters: Counters, answers: Answers): void {
  const { duration } = answers;
  const answered = () =>
    counters.snapshot().flatMap(({ key, histogram }) => {
      // The counters are the process's, and what others count there is none of ours.
      if (!key.startsWith(`["${duration}",`)) return [];
      const [, ...values] = JSON.parse(key) as string[];
      const labels = Object.fromEntries(answers.labels.map((label, i) => [label, values[i]!]));
      return [{ labels, histogram }];
    });
  add(answers.total, 'counter', answers.totalHelp, () =>
    answered().map(({ labels, histogram }) => ({ labels, value: histogram.count })),
  );
  add(duration, 'histogram', answers.durationHelp, () =>
    answered().flatMap(({ labels, histogram }) => spread(duration, labels, histogram)),
  );
}
