/**
 * Runs every suite, one after the other, and ends with `N passed, N failed, N skipped`.
 *
 * Usage: `npm test [-- --only TEXT]... [--soak]`. `--only` keeps the suites whose name contains
 * TEXT, and of the others the test files whose path does. `--soak` sets `SOAK=1`, by which tests
 * that repeat something repeat it more often.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Case, Outcome } from './run/junit.ts';
import { type Selected, select } from './run/select.ts';
import { type RunContext, runSuite, type SuiteResult } from './run/suite.ts';
import { suites } from './run/suites.ts';

const outputLines = 500;
const minute = 60_000;

const say = (line: string) => process.stdout.write(`${line}\n`);
const count = (cases: readonly Case[], outcome: Outcome) =>
  cases.filter((entry) => entry.outcome === outcome).length;
const summary = (cases: readonly Case[]) =>
  `${count(cases, 'passed')} passed, ${count(cases, 'failed')} failed, ${count(cases, 'skipped')} skipped`;

function show({ cases, output }: SuiteResult): void {
  const failed = cases.filter(({ outcome }) => outcome === 'failed');
  if (failed.length > 0) {
    const lines = output.trimEnd().split('\n');
    if (lines.length > outputLines) say(`  (the last ${outputLines} of ${lines.length} lines)`);
    say(lines.slice(-outputLines).join('\n'));
  }
  for (const { name } of failed) say(`  failed: ${name}`);
  for (const { name, reason } of cases.filter(({ outcome }) => outcome === 'skipped')) {
    say(`  skipped: ${name} (${reason || 'no reason was given'})`);
  }
}

async function runAll(selected: readonly Selected[], context: RunContext): Promise<Case[]> {
  const all: Case[] = [];
  for (const [index, entry] of selected.entries()) {
    if (context.signal.aborted) break;
    const label = `[${index + 1}/${selected.length}] ${entry.suite.name}`;
    const started = performance.now();
    const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    say(`${label} …`);
    const heartbeat = setInterval(() => say(`${label}: still running (${elapsed()})`), 15_000);
    const result = await runSuite(entry, context).finally(() => clearInterval(heartbeat));
    show(result);
    say(`${label}: ${summary(result.cases)} (${elapsed()})`);
    all.push(...result.cases);
  }
  return all;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      soak: { type: 'boolean', default: false },
    },
  });
  process.chdir(path.resolve(import.meta.dirname, '..'));
  const selected = select(suites, values.only);
  if (selected.length === 0) throw new Error(`No suite and no test file matches ${values.only}`);
  const stop = new AbortController();
  const context: RunContext = {
    scratch: mkdtempSync(path.join(tmpdir(), 'millrace-test-')),
    limitMs: (values.soak ? 120 : 15) * minute,
    env: values.soak ? { SOAK: '1' } : {},
    signal: stop.signal,
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const cases = await runAll(selected, context).finally(() =>
    rmSync(context.scratch, { recursive: true, force: true }),
  );
  say(summary(cases));
  if (stop.signal.aborted) return 130;
  return count(cases, 'failed') === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    say(error.message);
    process.exit(1);
  },
);
