/**
 * The process that `autocannon.ts` starts: `bun autocannon-process.ts TASK-AS-JSON`. Prints
 * `{"started":true}` and then a `LoadResult`, each on a line of its own.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { JSON_HEADERS, type Load, type LoadResult } from './types.ts';

/** A load whose body is in a file. */
export type AutocannonTask = Load & { readonly body: string };

/** Compiles autocannon's own code before it counts, seconds. */
const WARM_UP_SECONDS = 0.5;
/** Maximum wait for a response, seconds. */
const TIMEOUT = 30;

const task = JSON.parse(process.argv[2]!) as AutocannonTask;
const body = readFileSync(task.body);

function options(duration: number): autocannon.Options {
  const { url, connections, headers = JSON_HEADERS } = task;
  // autocannon checks at this interval, in milliseconds, whether its time is over.
  const timing = { duration, sampleInt: 100, timeout: TIMEOUT };
  return { url, method: 'POST', headers, body, connections, ...timing };
}

function measure(): Promise<LoadResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
  // autocannon's own histogram counts whole milliseconds; this one counts microseconds.
  const latency = createHistogram();
  let requests = 0;
  let non2xx = 0;
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const instance = autocannon(options(task.seconds), (error: Error | null, result) => {
    if (error) return reject(error);
    const cpu = process.cpuUsage(cpuBefore);
    resolve({
      requests,
      non2xx,
      seconds: (performance.now() - started) / 1000,
      errors: result.errors + result.timeouts,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      meanMs: latency.mean / 1000,
      p50Ms: latency.percentile(50) / 1000,
      p99Ms: latency.percentile(99) / 1000,
    });
  });
  instance.on('response', (_client, status, _bytes, milliseconds) => {
    if (status >= 200 && status < 300) requests += 1;
    else non2xx += 1;
    latency.record(Math.max(1, Math.round(milliseconds * 1000)));
  });
  return promise;
}

await autocannon(options(WARM_UP_SECONDS));
console.log('{"started":true}');
console.log(JSON.stringify(await measure()));
