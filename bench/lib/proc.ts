/**
 * CPU time and memory of processes, from /proc.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises';

/** One thread's accumulated time, seconds. */
export interface ThreadTime {
  readonly name: string;
  readonly onCpu: number;
  /** Time ready to run but waiting for a core. */
  readonly waiting: number;
}

export interface ProcessTime {
  /** When the sample was taken, seconds on the monotonic clock. */
  readonly at: number;
  /** User and system time of all threads, including ended ones, seconds. */
  readonly cpu: number;
  readonly threads: ReadonlyMap<number, ThreadTime>;
}

/** The CPU use of a process between two samples. */
export interface ProcessUse {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly busiest: ThreadUse;
}

export interface ThreadUse {
  readonly name: string;
  /** Share of the time on a core. */
  readonly onCpu: number;
  /** Share of the time on a core or waiting for one: 1 means that it never idled. */
  readonly busy: number;
}

/** Ticks per second of times in /proc, on every architecture (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** utime + stime from the text of `/proc/<pid>/stat`, seconds. The name may itself hold spaces and parentheses. */
export function parseStatCpu(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** On-core and waiting time from the text of `/proc/<pid>/task/<tid>/schedstat`, seconds. */
export function parseSchedstat(text: string): { onCpu: number; waiting: number } {
  const [onCpu, waiting] = text.split(' ').map(Number);
  return { onCpu: onCpu! / 1e9, waiting: waiting! / 1e9 };
}

/** Seconds that all cores together were not idle, from the text of `/proc/stat`. */
export function parseMachineBusy(text: string): number {
  const fields = text.slice(0, text.indexOf('\n')).trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** One field of `/proc/<pid>/status` that is given in kB, bytes; undefined if it is missing. */
export function parseStatusBytes(text: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match ? Number(match[1]) * 1024 : undefined;
}

/** Samples a process. @throws if it has ended. */
export async function sampleProcess(pid: number): Promise<ProcessTime> {
  const threads = new Map<number, ThreadTime>();
  for (const tid of (await readdir(`/proc/${pid}/task`)).map(Number)) {
    const thread = await readThread(pid, tid);
    if (thread) threads.set(tid, thread);
  }
  const cpu = parseStatCpu(await readFile(`/proc/${pid}/stat`, 'utf8'));
  return { at: performance.now() / 1000, cpu, threads };
}

async function readThread(pid: number, tid: number): Promise<ThreadTime | undefined> {
  try {
    const [schedstat, name] = await Promise.all([
      readFile(`/proc/${pid}/task/${tid}/schedstat`, 'utf8'),
      readFile(`/proc/${pid}/task/${tid}/comm`, 'utf8'),
    ]);
    return { name: name.trim(), ...parseSchedstat(schedstat) };
  } catch {
    return undefined; // The thread ended after it was listed.
  }
}

export function useBetween(before: ProcessTime, after: ProcessTime): ProcessUse {
  const seconds = after.at - before.at;
  let busiest: ThreadUse = { name: '', onCpu: 0, busy: 0 };
  for (const [tid, now] of after.threads) {
    const then = before.threads.get(tid) ?? { onCpu: 0, waiting: 0 };
    const onCpu = (now.onCpu - then.onCpu) / seconds;
    const busy = Math.min(1, onCpu + (now.waiting - then.waiting) / seconds);
    if (busy > busiest.busy) busiest = { name: now.name, onCpu, busy };
  }
  return { seconds, cpuSeconds: after.cpu - before.cpu, busiest };
}

/** The CPU time of the whole machine since its start, seconds. */
export async function machineBusy(): Promise<number> {
  return parseMachineBusy(await readFile('/proc/stat', 'utf8'));
}

/** Resident set size, bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const bytes = parseStatusBytes(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
  if (bytes === undefined) throw new Error(`Process ${pid} has no resident memory: it has ended`);
  return bytes;
}
