/** @module What a suite is worth: its skips have reasons, no test is a failure, and all of them add up. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { runSuite } from './suite.ts';
import { suites, type TestCommand } from './suites.ts';

// Inside the checkout, whose packages the Node launcher needs.
const folder = mkdtempSync(path.join('test', 'run', 'scratch-'));
after(() => rmSync(folder, { recursive: true }));

const runners: Readonly<Record<string, TestCommand>> = Object.fromEntries(
  suites.filter(({ name }) => /^(?:bun|deno|node)$/.test(name)).map((s) => [s.name, s.command]),
);

/** The cases of a suite with one file of this text. */
async function casesOf(runner: string, source: string) {
  const file = path.join(folder, `${runner}-${source.length}.test.ts`);
  writeFileSync(file, source);
  const scratch = mkdtempSync(path.join(tmpdir(), 'millrace-suite-'));
  const suite = { name: runner, command: runners[runner]! };
  const signal = new AbortController().signal;
  const context = { scratch, limitMs: 60_000, env: { DENO_NO_UPDATE_CHECK: '1' }, signal };
  const { cases } = await runSuite({ suite, files: [file], missing: [] }, context);
  rmSync(scratch, { recursive: true });
  return cases;
}

const mixed = `
import { test } from 'node:test';
test('passes', () => {});
test('fails', () => { throw new Error('on purpose'); });
test('is skipped', { skip: 'the moon is full' }, () => {});
`;

for (const runner of ['bun', 'deno', 'node']) {
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

test('the last line sums up all runners', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['test/run.ts', '--only', 'runtime/timings.test'],
  ]);
  const lines = stdout.trimEnd().split('\n');
  const counts = [...stdout.matchAll(/^\[.*\] (\w+): (\d+) passed, 0 failed, 0 skipped \(/gm)];
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
  const context = { scratch: folder, limitMs: 1000, env: {}, signal: new AbortController().signal };
  const { cases } = await runSuite({ suite, files: [], missing: [] }, context);
  assert.deepEqual(cases, [{ name: 'x', outcome: 'skipped', reason: 'there is no moon' }]);
});

test('a suite whose files are gone, and a name that matches nothing, are failures', async () => {
  const gone = {
    suite: { name: 'gone', command: () => ['true'] },
    files: [],
    missing: ['no/*.test.ts'],
  };
  const context = { scratch: folder, limitMs: 1000, env: {}, signal: new AbortController().signal };
  const { cases } = await runSuite(gone, context);
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
