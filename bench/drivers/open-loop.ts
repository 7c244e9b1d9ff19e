/**
 * An open loop in a separate process: requests are sent when they are due, whether or not earlier ones have their
 * responses. autocannon and wrk are closed loops, which slow down with the server.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { Child, jsonLine } from '../lib/child.ts';
import type { Traffic } from '../lib/schedule.ts';
import type { OnStart } from './types.ts';

export interface OpenLoad {
  readonly url: string;
  readonly body: string;
  /** Deadline in the request's header, milliseconds; undefined means no header. */
  readonly deadlineMs?: number;
  /** A response counts as in time up to this long after the request was due, milliseconds. */
  readonly inTimeMs: number;
  readonly traffic: Traffic;
  readonly perSecond: number;
  readonly milliseconds: number;
  /** Length of the load before the measurement, milliseconds. */
  readonly warmUpMs: number;
  readonly seed: number;
}

export interface OpenResult {
  /** Requests that were due in the measured time; the sum of the next five. */
  readonly offered: number;
  readonly inTime: number;
  /** Responses with 2xx that came too late. */
  readonly late: number;
  /** Responses with 503, which refuse for lack of capacity. */
  readonly refused: number;
  /** Responses with 504, because the deadline passed. */
  readonly expired: number;
  /** Requests with any other response, or without one. */
  readonly failed: number;
  /** Latency of the 2xx responses from the time their request was due, milliseconds; 0 without such responses. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late requests left the driver, milliseconds: 99th percentile. */
  readonly lagP99Ms: number;
  /** Maximum connections in use at once. */
  readonly connections: number;
  readonly cpuSeconds: number;
}

const SCRIPT = fileURLToPath(new URL('open-loop-process.ts', import.meta.url));

/** Drives the server from a separate process. @param onStart Called when the load begins. */
export async function runOpenLoop(load: OpenLoad, onStart?: OnStart): Promise<OpenResult> {
  await using child = await Child.start({
    argv: [process.execPath, SCRIPT, JSON.stringify(load)],
  });
  await child.line(jsonLine('started'));
  await onStart?.();
  return await child.line(jsonLine<OpenResult>('offered'));
}
