/**
 * The process that `autocannon.ts` starts: `bun autocannon-process.ts LOAD-AS-JSON`. Prints
 * `{"started":true}` and then a `LoadResult`, each on a line of its own.
 *
 * @module
 */
import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import type { Load, LoadResult } from './types.ts';

const load = JSON.parse(process.argv[2]!) as Load;
/** autocannon's own histogram counts whole milliseconds, too coarse here: this one counts microseconds. */
const latency = createHistogram();
let requests = 0;
let non2xx = 0;
let started = performance.now();
let cpuBefore = process.cpuUsage();

const instance = autocannon(
  {
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: load.body,
    connections: load.connections,
    duration: load.seconds,
    sampleInt: 100,
  },
  (error: Error | null, result) => {
    if (error) throw error;
    const cpu = process.cpuUsage(cpuBefore);
    const report: LoadResult = {
      requests,
      non2xx,
      seconds: (performance.now() - started) / 1000,
      errors: result.errors + result.timeouts,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      meanMs: latency.mean / 1000,
      p50Ms: latency.percentile(50) / 1000,
      p99Ms: latency.percentile(99) / 1000,
    };
    console.log(JSON.stringify(report));
  },
);
instance.on('start', () => {
  started = performance.now();
  cpuBefore = process.cpuUsage();
  console.log('{"started":true}');
});
instance.on('response', (_client, status, _bytes, milliseconds) => {
  if (status >= 200 && status < 300) requests += 1;
  else non2xx += 1;
  latency.record(Math.max(1, Math.round(milliseconds * 1000)));
});
