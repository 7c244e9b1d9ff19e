/** @module Records each HTTP request in metrics that all HTTP threads share. */

import type { HistogramSeries, Runtime } from '../../runtime/index.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Records one request. @returns its duration in milliseconds. */
export type Recorder = (method: string, status: number, startedMs: number) => number;

/**
 * @param service The name of the service that responds.
 * @param route The route's template. It must not be a path from a client, because each value creates a series that is never removed.
 */
export function createRecorder(
  { clock, metrics }: Runtime,
  service: string,
  route: string,
): Recorder {
  const byMethod = new Map<string, HistogramSeries[]>(METHODS.map((method) => [method, []]));
  // Clients may send any method, so unknown ones share a label.
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
