/**
 * Runs commands with all processes that they start. Each command has a mark in its environment, which its descendants
 * inherit even if they leave its process group, so that no process remains after a failure, a time limit or Ctrl-C.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Finished {
  /** The exit code; -1 after a signal. */
  readonly code: number;
  readonly timedOut: boolean;
  /** Command lines of the processes that outlived the command by two seconds and were killed. */
  readonly left: readonly string[];
  /** CPU time of the command and of its descendants that ended and were waited for, seconds. */
  readonly cpuSeconds: number;
}

export interface CommandOptions {
  /** The file to which standard output and standard error are appended, in order. */
  readonly log: string;
  readonly limitMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the command and all its processes at once. */
  readonly signal?: AbortSignal;
}

interface Process {
  readonly pid: number;
  readonly line: string;
}

const variable = 'MILLRACE_TEST_MARK';

/** A mark for a new command. It contains the mark of the command that this process belongs to. */
const newMark = (): string => `${process.env[variable] ?? ''}/${randomUUID()}`;

/** The running processes that have a mark; a zombie has no environment. */
export function marked(mark: string): Process[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').includes(mark)) return [];
      const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid, line }];
    } catch {
      // The process has ended, or belongs to another user.
      return [];
    }
  });
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The process has already ended.
    }
  }
}

/** Whether no process has a mark. It checks twice, because a process has no environment during `execve`. */
async function allGone(mark: string): Promise<boolean> {
  if (marked(mark).length > 0) return false;
  await delay(20);
  return marked(mark).length === 0;
}

/** Waits up to two seconds for the marked processes to end, and returns those that have not. */
async function survivors(mark: string): Promise<Process[]> {
  for (let attempt = 0; attempt < 20 && !(await allGone(mark)); attempt++) await delay(100);
  return marked(mark);
}

/** Starts a command in its own session, or writes to its output why it cannot be started. */
function start(command: readonly string[], env: NodeJS.ProcessEnv, out: number) {
  try {
    return Bun.spawn([...command], { detached: true, env, stdio: ['ignore', out, out] });
  } catch (error) {
    writeSync(out, `${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

/** Runs a command until it and all its processes have ended. */
export async function runCommand(
  command: readonly string[],
  { log, limitMs, env, signal }: CommandOptions,
): Promise<Finished> {
  const mark = newMark();
  const out = openSync(log, 'a');
  const child = start(command, { ...process.env, NO_COLOR: '1', ...env, [variable]: mark }, out);
  // The process group is killed, too, because a test may start a process with another environment.
  const stop = () => kill([...marked(mark).map(({ pid }) => pid), ...(child ? [-child.pid] : [])]);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, limitMs);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  await child?.exited;
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
  closeSync(out);
  const left = timedOut || signal?.aborted ? [] : await survivors(mark);
  // Repeats until none is left, because a process may start between the check and the kill.
  for (let attempt = 0; attempt < 20 && !(await allGone(mark)); attempt++) {
    stop();
    await delay(50);
  }
  return {
    code: child?.exitCode ?? -1,
    timedOut,
    left: left.map(({ line }) => line),
    cpuSeconds: Number(child?.resourceUsage()?.cpuTime.total ?? 0) / 1e6,
  };
}
