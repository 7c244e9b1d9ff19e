/**
 * Runs closed loops on chosen connections of a service with several HTTP threads, so that one thread has more
 * of them than the other: `bun skew-process.ts TASK-AS-JSON`. Prints a `SkewResult` on one line.
 *
 * @module
 */
import { Connection, postRequest } from '../../drivers/connection.ts';
import { percentiles } from '../../lib/stats.ts';
import { pickSkewed, threadOf } from './skew.ts';

export interface SkewTask {
  readonly url: string;
  readonly body: string;
  /** The numbers of connections of the first and the second thread. */
  readonly connections: readonly [number, number];
  readonly milliseconds: number;
}

export interface SkewResult {
  readonly threads: readonly {
    readonly connections: number;
    readonly perSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  }[];
  readonly failed: number;
}

/** The kernel chooses threads at random, so this many connections are opened for each thread to have enough. */
const OPENED = 160;

const task = JSON.parse(process.argv[2]!) as SkewTask;
const request = postRequest(task.url, task.body);
let failed = 0;

async function send(connection: Connection): Promise<string> {
  const { status, head } = await connection.send(request);
  if (status < 200 || status > 299) failed += 1;
  return head;
}

async function drive(connection: Connection, until: number, latencies: number[]): Promise<void> {
  for (let sentAt = performance.now(); sentAt < until; ) {
    await send(connection);
    const respondedAt = performance.now();
    latencies.push(respondedAt - sentAt);
    sentAt = respondedAt;
  }
}

const opened: { connection: Connection; thread: string }[] = [];
for (let i = 0; i < OPENED; i += 1) {
  const connection = await Connection.open(task.url);
  opened.push({ connection, thread: threadOf(await send(connection)) });
}
const groups = pickSkewed(opened, ({ thread }) => thread, task.connections);
const chosen = new Set(groups.flat());
for (const one of opened) if (!chosen.has(one)) one.connection.close();

const until = performance.now() + task.milliseconds;
const latencies: number[][] = groups.map(() => []);
await Promise.all(
  groups.flatMap((group, i) =>
    group.map(({ connection }) => drive(connection, until, latencies[i]!)),
  ),
);
for (const { connection } of groups.flat()) connection.close();
const threads = groups.map((group, i) => {
  const { p50, p99 } = percentiles(latencies[i]!);
  const perSecond = (latencies[i]!.length * 1000) / task.milliseconds;
  return { connections: group.length, perSecond, p50Ms: p50, p99Ms: p99 };
});
const result: SkewResult = { threads, failed };
console.log(JSON.stringify(result));
