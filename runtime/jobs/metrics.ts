/** @module Metrics of jobs. Their numbers are those of the database, so that every process shows the same. */

import type { GaugeSeries, Metrics } from '../metrics/index.ts';
import type { Backlog } from './lease-table.ts';

/** Bounds for the time that jobs wait, seconds. */
const WAIT_BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600] as const;

export interface JobMetrics {
  /** A job was started. @param waitedMs How long it could have run before. */
  started(waitedMs: number): void;
  /** This process has ended a job, or a webhook of one. */
  ended(status: string): void;
  webhook(outcome: 'delivered' | 'retried' | 'failed'): void;
  /** Shows the backlog until it is called again. */
  backlog(backlog: Backlog): void;
}

export function addJobMetrics(metrics: Metrics): JobMetrics {
  const waits = metrics.histogram(
    {
      name: 'millrace_job_wait_seconds',
      help: 'Time from when a job could run until it was started',
      labels: [],
    },
    WAIT_BOUNDS,
  );
  const ended = metrics.counter({
    name: 'millrace_jobs_ended_total',
    help: 'Jobs that were run to their end, by their status',
    labels: ['status'],
  });
  const webhooks = metrics.counter({
    name: 'millrace_job_webhooks_total',
    help: 'Attempts to send a webhook, by their outcome',
    labels: ['outcome'],
  });
  const jobs = metrics.gauge({
    name: 'millrace_jobs',
    help: 'Jobs in the database that wait or run, of all processes together',
    labels: ['status'],
  });
  const lag = metrics.gauge({
    name: 'millrace_jobs_queue_lag_seconds',
    help: 'How long the oldest job waits that could run',
    labels: [],
  });
  const show = (series: () => GaugeSeries) => {
    let shown = 0;
    return (value: number) => {
      series().add(value - shown);
      shown = value;
    };
  };
  const queued = show(() => jobs.series({ status: 'queued' }));
  const running = show(() => jobs.series({ status: 'running' }));
  const lagging = show(() => lag.series({}));
  return {
    started: (waitedMs) => waits.series({}).observe(waitedMs / 1000),
    ended: (status) => ended.series({ status }).add(),
    webhook: (outcome) => webhooks.series({ outcome }).add(),
    backlog(backlog) {
      queued(backlog.queued);
      running(backlog.running);
      lagging(Math.round(backlog.lagSecs));
    },
  };
}
