/** @module Tests that preparations of suites run once and first, and that suites with a failed preparation do not run. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Plan } from './plan.ts';
import { Heartbeat, totalOf } from './report.ts';
import type { Preparation, Suite } from './types.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-plan-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs suites without files. @returns the printed lines and the result of each suite */
async function run(...suites: readonly Suite[]) {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const signal = new AbortController().signal;
  const context = { scratch: folder, limitMs: 30_000, env: {}, signal };
  using heartbeat = new Heartbeat(say);
  const selected = suites.map((suite) => ({ suite, files: [], whole: true, missing: [] }));
  const rows = await new Plan(context, say, heartbeat).run(selected);
  return { lines, rows: rows.map(({ name, cases }) => `${name}: ${totalOf(cases)}`) };
}

const shell = (script: string) => ['sh', '-c', script];

const preparation = (name: string, script: string): Preparation => ({
  name,
  place: 'one',
  steps: [() => shell(script)],
});

test('a shared preparation runs once before its suites, and preparations of the same place run one after the other', async () => {
  const log = path.join(folder, 'order');
  const build = preparation('build', `echo build >> ${log}`);
  const again = preparation('build again', `echo again >> ${log}`);
  const suite = (name: string, needs: Preparation): Suite => ({
    name,
    needs: () => needs,
    command: () => shell(`grep -q ${needs === build ? 'build' : 'again'} ${log}`),
  });
  const { rows } = await run(suite('a', build), suite('b', build), suite('c', again));
  assert.deepEqual(rows, [
    'build: 0 passed, 0 failed, 0 skipped',
    'build again: 0 passed, 0 failed, 0 skipped',
    'a: 1 passed, 0 failed, 0 skipped',
    'b: 1 passed, 0 failed, 0 skipped',
    'c: 1 passed, 0 failed, 0 skipped',
  ]);
  const { stdout } = Bun.spawnSync(['cat', log]);
  assert.equal(stdout.toString(), 'build\nagain\n');
});

test('a suite with a failed build does not run, and fails', async () => {
  const needs = () => preparation('build', 'echo no compiler; exit 1');
  const { rows, lines } = await run({ name: 'a', needs, command: () => ['true'] });
  assert.deepEqual(rows, [
    'build: 0 passed, 1 failed, 0 skipped',
    'a: 0 passed, 1 failed, 0 skipped',
  ]);
  assert.ok(lines.includes('no compiler'));
  assert.ok(lines.includes('  failed: a: build failed'));
});

test('an error while a command is created fails its suite, and the others continue', async () => {
  const command = () => {
    throw new Error('There is no list of programs');
  };
  const { rows, lines } = await run({ name: 'a', command }, { name: 'b', command: () => ['true'] });
  assert.deepEqual(rows, ['a: 0 passed, 1 failed, 0 skipped', 'b: 1 passed, 0 failed, 0 skipped']);
  assert.ok(lines.includes('  failed: a: There is no list of programs'));
});

test('the output of a suite is printed in one piece, and only if it failed', async () => {
  const script = (name: string) =>
    shell(`echo ${name}1; sleep 0.05; echo ${name}2; test ${name} = b`);
  const suite = (name: string): Suite => ({ name, command: () => script(name) });
  const { lines } = await run(suite('a'), suite('b'), suite('c'));
  for (const name of ['a', 'c']) {
    const start = lines.indexOf(`${name}1`);
    assert.equal(lines[start + 1], `${name}2`);
    assert.match(lines[start - 1] ?? '', new RegExp(`^${name}: 0 passed, 1 failed`));
  }
  assert.ok(!lines.includes('b1'));
});

test('the heartbeat names the running jobs and their times', async () => {
  using heartbeat = new Heartbeat(() => {});
  const now = performance.now();
  let line = '';
  await heartbeat.during('bun', async () => {
    line = heartbeat.line(now + 12_000);
  });
  assert.match(line, /^… at work: bun \(1[12]\.\d s\)$/);
  assert.equal(heartbeat.line(), '… at work: ');
});
