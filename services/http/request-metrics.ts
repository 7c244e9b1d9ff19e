/** @module Counts answers, once each, in the counters that all HTTP threads share. */

import type { Runtime } from '../../runtime/index.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Records one answer and returns how long it took, in milliseconds. */
export type Recorder = (method: string, status: number, startedMs: number) => number;

/** @param route The route's template, never the path a client wrote: each value is a series for good. */
export function recorder({ clock, metrics }: Runtime, route: string): Recorder {
  const seriesOf = new Map<string, number[]>(METHODS.map((method) => [method, []]));
  const other: number[] = [];
  return (method, status, startedMs) => {
    const ms = clock.now() - startedMs;
    const byStatus = seriesOf.get(method) ?? other;
    byStatus[status] ??= metrics.httpSeries(byStatus === other ? 'OTHER' : method, route, status);
    metrics.observe(byStatus[status], ms / 1000);
    return ms;
  };
}
