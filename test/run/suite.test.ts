/** @module Tests results of suites: skips have reasons, a suite without tests fails, and the totals are right. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { runtimes } from './runtimes.ts';
import { partsOf, type Selected } from './select.ts';
import { prepare, type RunContext, runPart } from './suite.ts';
import type { Suite } from './types.ts';

// The folder is in the checkout, because the Node launcher needs its packages.
const folder = mkdtempSync(path.join('test', 'run', 'scratch-'));
after(() => rmSync(folder, { recursive: true }));

const context = (scratch = folder): RunContext => ({
  scratch,
  limitMs: 60_000,
  env: { DENO_NO_UPDATE_CHECK: '1' },
  signal: new AbortController().signal,
});

/** Runs a suite of one part, and returns its cases. */
async function casesOfSuite(suite: Suite, rest: Partial<Selected> = {}, scratch = folder) {
  const selected = { suite, files: [], whole: true, missing: [], ...rest };
  const parts = partsOf(selected, 1);
  assert.equal(parts.length, 1);
  const { cases } = await runPart(selected, parts[0]!, {}, context(scratch));
  return cases;
}

/** Runs a suite with one file of this content, and returns its cases. */
async function casesOf(runtime: keyof typeof runtimes, source: string) {
  const file = path.join(folder, `${runtime}-${source.length}.test.ts`);
  writeFileSync(file, source);
  const scratch = mkdtempSync(path.join(tmpdir(), 'millrace-suite-'));
  const suite = { name: runtime, command: runtimes[runtime] };
  const cases = await casesOfSuite(suite, { files: [file] }, scratch);
  rmSync(scratch, { recursive: true });
  return cases;
}

const mixed = `
import { test } from 'node:test';
test('passes', () => {});
test('fails', () => { throw new Error('on purpose'); });
test('is skipped', { skip: 'the moon is full' }, () => {});
`;

for (const runner of ['bun', 'deno', 'node'] as const) {
  describe(runner, () => {
    test('outcomes are counted, and a skip has its reason', async () => {
      const cases = await casesOf(runner, mixed);
      assert.deepEqual(
        cases.map(({ name, outcome, reason }) => [name, outcome, reason]).toSorted(),
        [
          ['fails', 'failed', ''],
          ['is skipped', 'skipped', 'the moon is full'],
          ['passes', 'passed', ''],
        ],
      );
    });

    test('a file without a test is a failure', async () => {
      const cases = await casesOf(runner, 'export {};\n');
      assert.ok(cases.length > 0);
      for (const { outcome } of cases) assert.equal(outcome, 'failed');
    });
  });
}

test('the last line has the totals of all runners', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['test/run.ts', '--only', 'runtime/host/'],
  ]);
  const lines = stdout.trimEnd().split('\n');
  const counts = [...stdout.matchAll(/^ {2}(\w+): (\d+) passed, 0 failed, 0 skipped \(/gm)];
  assert.deepEqual(
    counts.map(([, name]) => name),
    ['bun', 'deno'],
  );
  const sum = counts.reduce((total, [, , count]) => total + Number(count), 0);
  assert.ok(sum >= 2);
  assert.equal(lines.at(-1), `${sum} passed, 0 failed, 0 skipped`);
});

test('a suite that cannot run here is skipped, with its reason', async () => {
  const suite = { name: 'x', command: () => ['false'], absent: () => 'there is no moon' };
  assert.deepEqual(await casesOfSuite(suite), [
    { name: 'x', outcome: 'skipped', reason: 'there is no moon' },
  ]);
});

test('a preparation ends at its first failed command', async () => {
  const steps = [['true'], ['sh', '-c', 'echo no such luck; exit 3'], ['sh', '-c', 'echo late']];
  const preparation = { name: 'build: x', place: 'x', steps: steps.map((step) => () => step) };
  const { cases, output } = await prepare(preparation, 1, context());
  assert.deepEqual(
    cases.map(({ name, outcome }) => [name, outcome]),
    [['sh -c: exit code 3', 'failed']],
  );
  assert.equal(output, 'no such luck\n');
});

test('a suite without files and a name that matches nothing are failures', async () => {
  const gone = { name: 'gone', command: () => ['true'] };
  const cases = await casesOfSuite(gone, { missing: ['no/*.test.ts'] });
  assert.deepEqual(
    cases.map(({ name, outcome }) => [name, outcome]),
    [['no test file matches no/*.test.ts', 'failed']],
  );
  const unknown = promisify(execFile)(process.execPath, ['test/run.ts', '--only', 'no such suite']);
  await assert.rejects(unknown, {
    code: 1,
    stdout: 'No suite and no test file matches no such suite\n',
  });
});
