/** @module Runs a fixture in a process of its own, on the runtime that runs the test. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export interface Ended {
  /** Null if a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly timedOut: boolean;
}

/** Longer than any scenario takes on a busy machine; a process that runs longer hangs. */
const limitMs = 60_000;

/** The arguments before the script, which let it call the garbage collector. */
function runtimeArguments(): readonly string[] {
  if (process.versions.bun !== undefined) return [];
  if (process.versions.deno !== undefined) return ['run', '-A', '--v8-flags=--expose-gc'];
  return ['--expose-gc', '--import', 'tsx'];
}

/** Runs `test/native/<file>`, kills it after `limit` ms, and resolves when its output has ended, too. */
export function runChild(
  file: string,
  parameters: readonly string[],
  env: Readonly<Record<string, string>> = {},
  limit = limitMs,
): Promise<Ended> {
  const script = path.join(import.meta.dirname, file);
  const { NODE_TEST_CONTEXT: _, ...own } = process.env;
  const child = spawn(process.execPath, [...runtimeArguments(), script, ...parameters], {
    env: { ...own, ...env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text: string) => {
      output[name] += text;
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, limit);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, at: Date.now(), timedOut });
    });
  });
}
