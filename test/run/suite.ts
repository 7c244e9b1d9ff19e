/** @module Runs one suite and says what became of each of its tests. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Finished, runCommand } from './command.ts';
import { type Case, parseJunit } from './junit.ts';
import { reasonInFiles } from './reason.ts';
import type { Selected } from './select.ts';

export interface RunContext {
  /** Folder for the reports. */
  readonly scratch: string;
  readonly limitMs: number;
  readonly env: Readonly<Record<string, string>>;
  /** Ends the command at work. */
  readonly signal: AbortSignal;
}

export interface SuiteResult {
  readonly cases: readonly Case[];
  readonly output: string;
}

const failure = (name: string): Case => ({ name, outcome: 'failed', reason: '' });

/** What the report cannot say: the command itself failed, hung, or left something running. */
function faultsOf(command: readonly string[], done: Finished, cases: readonly Case[]): Case[] {
  const label = command.slice(0, 2).join(' ');
  const faults = done.left.map((line) => failure(`${label}: left running: ${line}`));
  if (done.timedOut) return [failure(`${label}: did not end within the time limit`), ...faults];
  const explained = cases.some(({ outcome }) => outcome === 'failed');
  if (done.code !== 0 && !explained) faults.push(failure(`${label}: exit code ${done.code}`));
  return faults;
}

function casesOf({ suite, files }: Selected, report: string, done: Finished): Case[] {
  if (existsSync(report)) {
    return parseJunit(readFileSync(report, 'utf8')).map((entry) =>
      entry.outcome === 'skipped' && entry.reason === ''
        ? { ...entry, reason: reasonInFiles(files, entry.name) }
        : entry,
    );
  }
  const isOneTest = files.length === 0 && done.code === 0;
  return isOneTest ? [{ name: suite.name, outcome: 'passed', reason: '' }] : [];
}

export async function runSuite(selected: Selected, context: RunContext): Promise<SuiteResult> {
  const { suite, files, missing } = selected;
  const { limitMs, signal } = context;
  const base = path.join(context.scratch, suite.name.replaceAll(/\W+/g, '-'));
  const [report, log] = [`${base}.xml`, `${base}.log`];
  const options = { log, limitMs, signal, env: context.env };
  const result = (cases: readonly Case[]) => ({ cases, output: readFileSync(log, 'utf8') });
  if (missing.length > 0) {
    return { cases: missing.map((glob) => failure(`no test file matches ${glob}`)), output: '' };
  }
  const reason = suite.absent?.();
  if (reason !== undefined) {
    return { cases: [{ name: suite.name, outcome: 'skipped', reason }], output: '' };
  }
  for (const command of suite.prepare ?? []) {
    const faults = faultsOf(command, await runCommand(command, options), []);
    if (faults.length > 0) return result(faults);
  }
  const command = suite.command(files, report);
  const done = await runCommand(command, { ...options, env: { ...suite.env, ...context.env } });
  const cases = casesOf(selected, report, done);
  const faults = faultsOf(command, done, cases);
  const alarm = suite.alarm?.exec(readFileSync(log, 'utf8'));
  if (alarm) faults.push(failure(`${suite.name}: ${alarm[0]}`));
  if (cases.length + faults.length === 0) faults.push(failure(`${suite.name}: no test was found`));
  return result([...cases, ...faults]);
}
