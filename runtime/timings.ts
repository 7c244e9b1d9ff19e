/** @module The times of one request, which are measured once and reported in header, body, log and metrics. */

import type { Timings } from '../native/index.ts';

/** Combines the timings of the runs of one request: the longest wait, the longest run, and the total of the rows. */
export function joinTimings(runs: readonly { readonly timings: Timings }[]): Timings {
  if (runs.length === 1) return runs[0]!.timings;
  if (runs.length === 0) return NO_RUN;
  const parts = runs.map(({ timings }) => timings);
  return {
    queueMs: Math.max(...parts.map((part) => part.queueMs)),
    computeMs: Math.max(...parts.map((part) => part.computeMs)),
    batchRows: parts.reduce((rows, part) => rows + part.batchRows, 0),
    batchRequests: Math.max(...parts.map((part) => part.batchRequests)),
  };
}

/** The timings of a request without runs. */
const NO_RUN: Timings = { queueMs: 0, computeMs: 0, batchRows: 0, batchRequests: 0 };

/** Combines the timings of runs with those of runs that were made on their results. */
export function addTimings(first: Timings, then: Timings): Timings {
  return {
    queueMs: first.queueMs + then.queueMs,
    computeMs: first.computeMs + then.computeMs,
    batchRows: Math.max(first.batchRows, then.batchRows),
    batchRequests: Math.max(first.batchRequests, then.batchRequests),
  };
}

/** Writing a number with a fraction is slow, and most times are short. */
const SHORT = Array.from({ length: 2048 }, (_, us) => String(us / 1000));

/** Milliseconds to the microsecond, in decimal. */
export function msText(ms: number): string {
  const us = Math.round(ms * 1000);
  return SHORT[us] ?? String(us / 1000);
}

/** Milliseconds to the microsecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The `Server-Timing` value: `queue;dur=0.041, batch;desc="8/16", compute;dur=0.213`. */
export function serverTiming(timings: Timings, maxRows: number): string {
  return `queue;dur=${msText(timings.queueMs)}, batch;desc="${timings.batchRows}/${maxRows}", compute;dur=${msText(timings.computeMs)}`;
}
