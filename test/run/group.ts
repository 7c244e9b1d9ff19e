/**
 * Child processes with everything they start: one process group a command, so that nothing is
 * left behind by a failure, a time limit or Ctrl-C.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Finished {
  /** Exit code; -1 after a signal. */
  readonly code: number;
  readonly timedOut: boolean;
  /** Processes of the group that outlived the command by two seconds, and were killed. */
  readonly left: readonly string[];
}

export interface CommandOptions {
  /** File to which standard output and standard error are appended, in order. */
  readonly log: string;
  readonly limitMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Group to be killed when the runner itself is asked to stop; the command adds and removes itself. */
  readonly groups: Set<number>;
}

export function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // The group is empty, which is what was wanted.
  }
}

/** Command lines of the live processes in a group; a zombie is only waiting to be collected. */
export function membersOf(group: number): string[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(pgrp) !== group || state === 'Z') return [];
      const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      return [line.replaceAll('\0', ' ').trim()];
    } catch {
      return [];
    }
  });
}

/** Waits up to two seconds for a group to end, and returns what is then still alive. */
async function survivorsOf(group: number): Promise<string[]> {
  for (let attempt = 0; attempt < 20; attempt++) {
    if (membersOf(group).length === 0) return [];
    await delay(100);
  }
  return membersOf(group);
}

/** Runs a command in a process group of its own until it and its group have ended. */
export async function runCommand(
  [file = '', ...args]: readonly string[],
  { log, limitMs, env, groups }: CommandOptions,
): Promise<Finished> {
  const out = openSync(log, 'a');
  const child = spawn(file, args, {
    detached: true,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', out, out],
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    if (group !== undefined) killGroup(group);
  }, limitMs);
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      appendFileSync(log, `${error.message}\n`);
      resolve(-1);
    });
    child.on('exit', (status) => resolve(status ?? -1));
  });
  clearTimeout(timer);
  closeSync(out);
  if (group === undefined) return { code, timedOut, left: [] };
  const left = timedOut ? [] : await survivorsOf(group);
  killGroup(group);
  // A signal is delivered some time after it was sent.
  await survivorsOf(group);
  groups.delete(group);
  return { code, timedOut, left };
}
