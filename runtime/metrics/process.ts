/**
 * The metrics of the process, under the names that Prometheus' clients agree on. They are not those of
 * prom-client, which measures the thread it runs in: two HTTP threads would show two truths.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import type { AddMetric } from './page.ts';

/** The kernel's unit of time towards programs, whatever its own is. */
const TICKS_PER_SECOND = 100;

export function addProcess(add: AddMetric): void {
  const single = (name: string, type: 'counter' | 'gauge', help: string, value: () => number) =>
    add(name, type, help, () => [{ labels: {}, value: value() }]);
  const cpu = (of: (usage: NodeJS.CpuUsage) => number) => () => of(process.cpuUsage()) / 1e6;
  const started = startTime();

  single(
    'process_cpu_user_seconds_total',
    'counter',
    'CPU time of the process in its own code',
    cpu(({ user }) => user),
  );
  single(
    'process_cpu_system_seconds_total',
    'counter',
    'CPU time of the process in the kernel',
    cpu(({ system }) => system),
  );
  single(
    'process_cpu_seconds_total',
    'counter',
    'CPU time of the process',
    cpu(({ user, system }) => user + system),
  );
  single('process_start_time_seconds', 'gauge', 'When the process started', () => started);
  single('process_resident_memory_bytes', 'gauge', 'Memory the process holds', () =>
    process.memoryUsage.rss(),
  );
  single(
    'process_open_fds',
    'gauge',
    'Open file descriptors',
    () => readdirSync('/proc/self/fd').length,
  );
}

/** Seconds since 1970. From the kernel, because a thread's own clock starts with the thread. */
function startTime(): number {
  const boot = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  // The second field is the program's name in parentheses, which may hold anything.
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Field 22 of the whole line, of which the first two are cut off.
  return Number(boot) + Number(fields[19]) / TICKS_PER_SECOND;
}
