/**
 * Runs the suites, as many side by side as there are cores, and ends with
 * `N passed, N failed, N skipped`.
 *
 * Usage: `npm test [-- [--changed] [--only TEXT]...]`, `npm run verify [-- --only TEXT]...`.
 * `--changed` keeps what the change since `main` can affect. `--only` keeps the suites whose name
 * contains TEXT, and of the others the test files whose path does. `--verify` runs the whole matrix.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Affected, changedFiles } from './run/changed.ts';
import { Plan } from './run/plan.ts';
import { costOf, failuresOf, Heartbeat, seconds, totalOf } from './run/report.ts';
import { filesOf, type Selected, selectChanged, selectOnly } from './run/select.ts';
import type { RunContext } from './run/suite.ts';
import { suites } from './run/suites.ts';
import { PassedSuites } from './run/unchanged.ts';

const minute = 60_000;

const say = (line: string) => process.stdout.write(`${line}\n`);

interface Options {
  readonly only: readonly string[];
  readonly changed: boolean;
  readonly verify: boolean;
}

function chosen({ only, changed, verify }: Options): Selected[] {
  const other = verify ? 'test' : 'verify';
  const all = suites.filter(({ run }) => run !== other).map(filesOf);
  const named = selectOnly(all, only);
  if (named.length === 0) throw new Error(`No suite and no test file matches ${only}`);
  if (!changed) return named;
  const files = changedFiles();
  const affected = new Affected(files);
  say(`${files.length} files differ from main`);
  return selectChanged(named, (file) => affected.has(file));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      changed: { type: 'boolean', default: false },
      verify: { type: 'boolean', default: false },
    },
  });
  process.chdir(path.resolve(import.meta.dirname, '..'));
  const selected = chosen(values);
  const stop = new AbortController();
  const context: RunContext = {
    scratch: mkdtempSync(path.join(tmpdir(), 'millrace-test-')),
    // Long enough for a build with sanitizers where others are busy on the machine.
    limitMs: (values.verify ? 120 : 40) * minute,
    // What could fail by chance is repeated.
    env: values.verify ? { REPETITIONS: '10' } : {},
    signal: stop.signal,
    // Whoever names a suite wants it to run.
    ...(values.verify || values.only.length > 0
      ? {}
      : { passed: new PassedSuites('.millrace/passed') }),
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const started = performance.now();
  using heartbeat = new Heartbeat(say);
  const rows = await new Plan(context, say, heartbeat)
    .run(selected)
    .finally(() => rmSync(context.scratch, { recursive: true, force: true }));
  const cpuSeconds = rows.reduce((sum, row) => sum + row.cpuSeconds, 0);
  say(`\n${seconds((performance.now() - started) / 1000)}, ${seconds(cpuSeconds)} of CPU:`);
  for (const row of rows) say(`  ${row.name}: ${totalOf(row.cases)} (${costOf(row)})`);
  const cases = rows.flatMap((row) => row.cases);
  say(totalOf(cases));
  if (stop.signal.aborted) return 130;
  return failuresOf(cases) === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    say(error.message);
    process.exit(1);
  },
);
