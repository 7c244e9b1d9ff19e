/**
 * Child processes with everything they start. Each command carries a mark in its environment, which
 * its descendants inherit even where they leave its process group, so that nothing is left behind by
 * a failure, a time limit or Ctrl-C.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Finished {
  /** Exit code; -1 after a signal. */
  readonly code: number;
  readonly timedOut: boolean;
  /** Command lines of what outlived the command by two seconds, and was killed. */
  readonly left: readonly string[];
  /** CPU time of the command and of all that was waited for, seconds. */
  readonly cpuSeconds: number;
}

export interface CommandOptions {
  /** File to which standard output and standard error are appended, in order. */
  readonly log: string;
  readonly limitMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the command, and all it started, at once. */
  readonly signal?: AbortSignal;
}

interface Process {
  readonly pid: number;
  readonly line: string;
}

const variable = 'MILLRACE_TEST_MARK';

/** A mark for a new command. It contains the mark of the command that this process belongs to. */
const newMark = (): string => `${process.env[variable] ?? ''}/${randomUUID()}`;

/** The live processes that carry a mark; a zombie has no environment any more. */
export function marked(mark: string): Process[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').includes(mark)) return [];
      const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid, line }];
    } catch {
      // It ended meanwhile, or belongs to someone else.
      return [];
    }
  });
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile, which is what was wanted.
    }
  }
}

/** Whether no process carries a mark, by two looks: amid `execve` a process shows no environment. */
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

/** Starts a command in a session of its own, or writes down why it cannot be started. */
function start(command: readonly string[], env: NodeJS.ProcessEnv, out: number) {
  try {
    return Bun.spawn([...command], { detached: true, env, stdio: ['ignore', out, out] });
  } catch (error) {
    writeSync(out, `${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

/** Runs a command until it and all that it started have ended. */
export async function runCommand(
  command: readonly string[],
  { log, limitMs, env, signal }: CommandOptions,
): Promise<Finished> {
  const mark = newMark();
  const out = openSync(log, 'a');
  const child = start(command, { ...process.env, NO_COLOR: '1', ...env, [variable]: mark }, out);
  // The group too: a test may start something without its environment.
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
  // Again until none is left: one may have been started between the look and the kill.
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
