/**
 * An open loop in a process of its own: requests come when they are due, whether or not those before
 * them have responses. autocannon and wrk are closed loops, which slow down with the server.
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
  /** Before that, and not counted. */
  readonly warmUpMs: number;
  readonly seed: number;
}

export interface OpenResult {
  /** Requests that were due in the counted time; the sum of the next five. */
  readonly offered: number;
  readonly inTime: number;
  /** Answered with 2xx, but too late. */
  readonly late: number;
  /** 503: refused for lack of capacity. */
  readonly refused: number;
  /** 504: given up at the deadline. */
  readonly expired: number;
  /** Any other response, or no response. */
  readonly failed: number;
  /** Latency of the 2xx responses from the time their request was due, milliseconds; 0 without such responses. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late requests left the driver, milliseconds: 99th percentile. */
  readonly lagP99Ms: number;
  /** Most connections that were in use at once. */
  readonly connections: number;
  readonly cpuSeconds: number;
}

const SCRIPT = fileURLToPath(new URL('open-loop-process.ts', import.meta.url));

/** Drives the server from a process of its own. @param onStart Called when the load begins. */
export async function runOpenLoop(load: OpenLoad, onStart?: OnStart): Promise<OpenResult> {
  await using child = await Child.start({
    argv: [process.execPath, SCRIPT, JSON.stringify(load)],
  });
  await child.line(jsonLine('started'));
  await onStart?.();
  return await child.line(jsonLine<OpenResult>('offered'));
}
