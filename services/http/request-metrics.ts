/** @module Counts HTTP requests, once each, in the counters that all HTTP threads share. */

import type { HistogramSeries, Runtime } from '../../runtime/index.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Records one request and returns how long it took, in milliseconds. */
export type Recorder = (method: string, status: number, startedMs: number) => number;

/**
 * @param service The name of the service that responds.
 * @param route The route's template, never the path a client wrote: each value is a series for good.
 */
export function createRecorder(
  { clock, metrics }: Runtime,
  service: string,
  route: string,
): Recorder {
  const byMethod = new Map<string, HistogramSeries[]>(METHODS.map((method) => [method, []]));
  // A client may invent a method, too.
  const other: HistogramSeries[] = [];
  return (method, status, startedMs) => {
    const ms = clock.now() - startedMs;
    const byStatus = byMethod.get(method) ?? other;
    byStatus[status] ??= metrics.http.series({
      service,
      method: byStatus === other ? 'OTHER' : method,
      route,
      status: String(status),
    });
    byStatus[status].observe(ms / 1000);
    return ms;
  };
}
