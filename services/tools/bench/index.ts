/**
 * Sends load to one route of a server and reports how it responds.
 *
 * - Closed loop: each of `connections` clients sends its next request when it has its response. The rate depends on the
 *   server, which is never asked for more than it does.
 * - Open loop: requests start at random times (a Poisson process) at `rate`, whether or not earlier ones have their
 *   responses. Latency counts from the time at which a request was due, so that a server that falls behind is seen.
 *
 * @see https://www.usenix.org/legacy/event/nsdi06/tech/schroeder.html on the difference of the two
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';

export interface Load {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly connections: number;
  /** Requests per second; undefined for a closed loop. */
  readonly rate?: number | undefined;
}

/** Latencies are in milliseconds; undefined if no request was served. */
export interface Report {
  readonly loop: 'closed' | 'open';
  readonly seconds: number;
  readonly requests: number;
  /** Requests that got no response, or one of status 400 and above. */
  readonly failed: number;
  readonly per_second: number;
  readonly p50_ms: number | undefined;
  readonly p90_ms: number | undefined;
  readonly p99_ms: number | undefined;
  readonly max_ms: number | undefined;
}

/** Runs the load to its end. */
export async function runLoad(load: Load): Promise<Report> {
  const latencies: number[] = [];
  let failed = 0;
  const send = async (dueMs: number) => {
    if (await isServed(load)) latencies.push(performance.now() - dueMs);
    else failed += 1;
  };
  const startedMs = performance.now();
  const endMs = startedMs + load.seconds * 1000;
  if (load.rate === undefined) await closedLoop(load.connections, endMs, send);
  else await openLoop(load.rate, startedMs, endMs, send);
  const seconds = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  // The nearest-rank method.
  const quantile = (q: number) => latencies[Math.max(Math.ceil(q * latencies.length) - 1, 0)];
  return {
    loop: load.rate === undefined ? 'closed' : 'open',
    seconds,
    requests: latencies.length + failed,
    failed,
    per_second: latencies.length / seconds,
    p50_ms: quantile(0.5),
    p90_ms: quantile(0.9),
    p99_ms: quantile(0.99),
    max_ms: latencies.at(-1),
  };
}

async function isServed({ url, body, headers }: Load): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', ...headers },
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function closedLoop(
  connections: number,
  endMs: number,
  send: (dueMs: number) => Promise<void>,
): Promise<void> {
  const client = async () => {
    while (performance.now() < endMs) await send(performance.now());
  };
  await Promise.all(Array.from({ length: connections }, client));
}

async function openLoop(
  rate: number,
  startedMs: number,
  endMs: number,
  send: (dueMs: number) => Promise<void>,
): Promise<void> {
  const pending = new Set<Promise<void>>();
  let dueMs = startedMs;
  while (dueMs < endMs) {
    // Timers are only precise to a millisecond, so several requests may be due after one.
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const sent = send(dueMs).finally(() => pending.delete(sent));
    pending.add(sent);
    dueMs += (-Math.log(1 - Math.random()) / rate) * 1000;
  }
  await Promise.all(pending);
}
