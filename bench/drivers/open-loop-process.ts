/**
 * The process that `open-loop.ts` starts: `bun open-loop-process.ts LOAD-AS-JSON`. Prints
 * `{"started":true}` and then an `OpenResult`, each on a line of its own.
 *
 * @module
 */
import { openLoop, type Turns } from '../lib/load.ts';
import { schedule } from '../lib/schedule.ts';
import { Connection, postRequest } from './connection.ts';
import type { OpenLoad } from './open-loop.ts';
import { Tally } from './tally.ts';

/** Connections that are opened before the load begins; more are opened when all are in use. */
const CONNECTIONS = 256;
/** Maximum sleep of the thread, milliseconds: a timer would be late by up to one. */
const NAP_MS = 0.2;

const load = JSON.parse(process.argv[2]!) as OpenLoad;
const cell = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps between turns instead of spinning, because with few cores the server needs them. */
const drowsyTurns: Turns = {
  now: () => performance.now(),
  next(gapMs) {
    Atomics.wait(cell, 0, 0, Math.min(gapMs, NAP_MS));
    return new Promise((resolve) => setImmediate(resolve));
  },
};

const headers: Record<string, string> = {};
if (load.deadlineMs !== undefined) headers['X-Request-Timeout-Ms'] = String(load.deadlineMs);
const request = postRequest(load.url, load.body, headers);
const due = schedule(load.traffic, load.perSecond, load.warmUpMs + load.milliseconds, load.seed);
const idle: Connection[] = [];
for (let i = 0; i < CONNECTIONS; i += 1) idle.push(await Connection.open(load.url));

console.log('{"started":true}');
const from = performance.now() + load.warmUpMs;
const tally = new Tally(load.inTimeMs);
const pending = new Set<Promise<void>>();
let connections = CONNECTIONS;

async function send(dueAt: number): Promise<void> {
  const counted = dueAt >= from;
  try {
    let connection = idle.pop();
    if (connection === undefined) {
      connections += 1;
      connection = await Connection.open(load.url);
    }
    if (counted) tally.sent(performance.now() - dueAt);
    const { status } = await connection.send(request);
    if (counted) tally.responded(status, performance.now() - dueAt);
    idle.push(connection);
  } catch {
    if (counted) tally.failed();
  }
}

const cpuBefore = process.cpuUsage();
await openLoop(
  (dueAt) => {
    const sending = send(dueAt).finally(() => pending.delete(sending));
    pending.add(sending);
  },
  due,
  drowsyTurns,
);
await Promise.all(pending);
const { user, system } = process.cpuUsage(cpuBefore);
for (const connection of idle) connection.close();
console.log(JSON.stringify({ ...tally.result(), connections, cpuSeconds: (user + system) / 1e6 }));
