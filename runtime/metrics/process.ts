/**
 * The metrics of the process, under the names that the client libraries of Prometheus use. They are read
 * from the kernel: what a JavaScript runtime measures is often that of one thread.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { startOfProcess } from '../host/index.ts';
import type { MetricHead } from './text-format.ts';

/** A metric without labels. */
interface ProcessMetric extends MetricHead {
  value(): number;
}

/** The unit in which Linux reports times to programs, whatever the kernel uses itself. */
const TICKS_PER_SECOND = 100;

export function processMetrics(): readonly ProcessMetric[] {
  const startedAt = startTime();
  const cpuSeconds = (microseconds: number) => microseconds / 1e6;
  return [
    {
      name: 'process_cpu_user_seconds_total',
      type: 'counter',
      help: 'CPU time that the process has spent in its own code',
      value: () => cpuSeconds(process.cpuUsage().user),
    },
    {
      name: 'process_cpu_system_seconds_total',
      type: 'counter',
      help: 'CPU time that the kernel has spent for the process',
      value: () => cpuSeconds(process.cpuUsage().system),
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time of the process, in its own code and in the kernel',
      value() {
        const { user, system } = process.cpuUsage();
        return cpuSeconds(user + system);
      },
    },
    {
      name: 'process_start_time_seconds',
      type: 'gauge',
      help: 'When the process started, in seconds since 1970',
      value: () => startedAt,
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Memory of the process that is in RAM',
      value: () => process.memoryUsage.rss(),
    },
    {
      name: 'process_open_fds',
      type: 'gauge',
      help: 'Open file descriptors of the process',
      value: () => readdirSync('/proc/self/fd').length,
    },
  ];
}

/** When the process started. From the kernel, because a thread's own clock starts with the thread. */
function startTime(): number {
  const boot = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  return Number(boot) + Number(startOfProcess(process.pid)) / TICKS_PER_SECOND;
}
