/** @module Runs one part of a suite and returns the outcome of each of its tests. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Finished, runCommand } from './command.ts';
import { type Case, parseJunit } from './junit.ts';
import { reasonInFiles } from './reason.ts';
import type { Part, Selected } from './select.ts';
import type { CommandLine, Environment, Preparation } from './types.ts';
import { digestOf, fileNameOf, type PassedSuites } from './unchanged.ts';

export interface RunContext {
  /** The folder for reports. */
  readonly scratch: string;
  readonly limitMs: number;
  /** Environment variables of every suite, which a suite can override. */
  readonly env: Environment;
  /** Ends the running commands. */
  readonly signal: AbortSignal;
  /** The suites that have passed, which do not run again while their inputs are the same. Default: all run. */
  readonly passed?: PassedSuites;
}

export interface Result {
  readonly cases: readonly Case[];
  readonly output: string;
  readonly cpuSeconds: number;
  /** Whether it is the result of an earlier run, of which nothing has changed. */
  readonly unchanged?: boolean;
}

const failure = (name: string): Case => ({ name, outcome: 'failed', reason: '' });

const without = (cases: readonly Case[]): Result => ({ cases, output: '', cpuSeconds: 0 });

/** The result of a suite whose command could not be created. */
export const broken = (name: string, error: unknown): Result =>
  without([failure(`${name}: ${error instanceof Error ? error.message : error}`)]);

/** The result of a suite whose preparation has failed. */
export const unprepared = (suite: string, preparation: string): Result =>
  without([failure(`${suite}: ${preparation} failed`)]);

/** Failures that the report does not have: the command failed, exceeded its time, or left processes running. */
function faultsOf(command: readonly string[], done: Finished, cases: readonly Case[]): Case[] {
  const label = command.slice(0, 2).join(' ');
  const faults = done.left.map((line) => failure(`${label}: left running: ${line}`));
  if (done.timedOut) return [failure(`${label}: did not end within the time limit`), ...faults];
  const explained = cases.some(({ outcome }) => outcome === 'failed');
  if (done.code !== 0 && !explained) faults.push(failure(`${label}: exit code ${done.code}`));
  return faults;
}

function casesOf(suite: string, files: readonly string[], report: string, done: Finished): Case[] {
  if (existsSync(report)) {
    return parseJunit(readFileSync(report, 'utf8')).map((entry) =>
      entry.outcome === 'skipped' && entry.reason === ''
        ? { ...entry, reason: reasonInFiles(files, entry.name) }
        : entry,
    );
  }
  const isOneTest = files.length === 0 && done.code === 0;
  return isOneTest ? [{ name: suite, outcome: 'passed', reason: '' }] : [];
}

const baseOf = (context: RunContext, name: string) => path.join(context.scratch, fileNameOf(name));

/** Runs a preparation. Its cases are its failures. */
export async function prepare(
  { name, steps }: Preparation,
  slots: number,
  context: RunContext,
): Promise<Result> {
  const { limitMs, signal } = context;
  const log = `${baseOf(context, name)}.log`;
  let cpuSeconds = 0;
  for (const step of steps) {
    const command: CommandLine = step(slots);
    const done = await runCommand(command, { log, limitMs, signal });
    cpuSeconds += done.cpuSeconds;
    const cases = faultsOf(command, done, []);
    if (cases.length > 0) return { cases, output: readFileSync(log, 'utf8'), cpuSeconds };
  }
  return { ...without([]), cpuSeconds };
}

/** @param index The index of the part in its suite, which names its report. */
export async function runPart(
  { suite, missing }: Selected,
  { files, whole }: Part,
  { index = 0, slots = 1 }: { index?: number; slots?: number },
  context: RunContext,
): Promise<Result> {
  const { limitMs, signal } = context;
  if (missing.length > 0) {
    return without(missing.map((glob) => failure(`no test file matches ${glob}`)));
  }
  const reason = suite.absent?.();
  if (reason !== undefined) return without([{ name: suite.name, outcome: 'skipped', reason }]);
  const env = { ...context.env, ...suite.env };
  const { passed } = context;
  const inputs = whole && passed ? suite.inputs : undefined;
  // The report and the number of cores differ between runs, and do not affect the result.
  const digest =
    inputs &&
    digestOf({ command: suite.command(files, '', { slots: 1, whole }), env, globs: inputs });
  const earlier = digest && passed?.find(suite.name, digest);
  if (earlier) return { ...without(earlier), unchanged: true };
  const base = baseOf(context, `${suite.name}-${index}`);
  const [report, log] = [`${base}.xml`, `${base}.log`];
  const command = suite.command(files, report, { slots, whole });
  const done = await runCommand(command, { log, limitMs, signal, env });
  const output = readFileSync(log, 'utf8');
  const cases = casesOf(suite.name, files, report, done);
  const faults = faultsOf(command, done, cases);
  const alarm = suite.alarm?.exec(output);
  if (alarm) faults.push(failure(`${suite.name}: ${alarm[0]}`));
  if (cases.length + faults.length === 0) faults.push(failure(`${suite.name}: no test was found`));
  const all = [...cases, ...faults];
  if (digest && all.every(({ outcome }) => outcome !== 'failed')) {
    passed?.add(suite.name, digest, all);
  }
  return { cases: all, output, cpuSeconds: done.cpuSeconds };
}
