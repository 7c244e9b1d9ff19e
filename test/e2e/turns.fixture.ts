/**
 * The services, with a line in the log for each long turn of the main thread. A turn is measured in CPU time of
 * the thread, so that other processes on the machine do not count; a few short turns may count as one.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

/** Shorter turns are not logged, milliseconds. */
const SHORTEST_MS = Number(process.env.SHORTEST_TURN_MS ?? 8);

const cpuMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;

let last = cpuMs();
setInterval(() => {
  const now = cpuMs();
  if (now - last > SHORTEST_MS) console.log(JSON.stringify({ msg: 'turn', ms: now - last }));
  last = cpuMs();
}, 1).unref();

await import('../../services/main.ts');
