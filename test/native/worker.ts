/** @module Starts a fixture as a Worker, on any of the runtimes. */
import { Worker } from 'node:worker_threads';

/** Runs `test/native/<file>` as a Worker. */
export function startWorker(file: string, workerData: unknown): Worker {
  const { href } = new URL(file, import.meta.url);
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) {
    return new Worker(new URL(href), { workerData });
  }
  // Node 20 does not hand its TypeScript loader on to Workers.
  const tsx = import.meta.resolve('tsx/esm/api');
  const code = `import('${tsx}').then(({ register }) => { register(); return import('${href}'); })`;
  return new Worker(code, { eval: true, workerData });
}
