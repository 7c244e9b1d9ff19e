/** @module Tests that a suite that has passed is repeated if, and only if, something that it uses has changed. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { costOf } from './report.ts';
import { type Result, runPart } from './suite.ts';
import type { Suite } from './types.ts';
import { PassedSuites } from './unchanged.ts';

let folder: string;
let runs: string;
let program: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-unchanged-'));
  runs = path.join(folder, 'runs');
  program = path.join(folder, 'program');
  writeFileSync(program, 'exit 0');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a suite that executes `program`, and notes each of its runs in the file `runs`. */
function run(rest: Partial<Suite> = {}, whole = true, passed = true): Promise<Result> {
  const suite: Suite = {
    name: 'a: b',
    command: () => ['sh', '-c', `echo run >> ${runs}; sh ${program}`],
    inputs: [`${folder}/prog*`],
    ...rest,
  };
  const context = {
    ...{ scratch: folder, limitMs: 30_000, env: {}, signal: new AbortController().signal },
    ...(passed ? { passed: new PassedSuites(path.join(folder, 'passed')) } : {}),
  };
  const selected = { suite, files: [], whole, missing: [] };
  return runPart(selected, { files: [], whole, alone: false }, {}, context);
}

const times = () => (existsSync(runs) ? readFileSync(runs, 'utf8').split('\n').length - 1 : 0);

test('a suite that has passed is not repeated, and keeps its cases', async () => {
  const first = await run();
  assert.equal(first.unchanged, undefined);
  const second = await run();
  assert.deepEqual(second.cases, first.cases);
  assert.equal(times(), 1);
  assert.equal(costOf(second), 'not repeated: nothing that it uses has changed');
});

test('it is repeated after a change of a file, of a setting or of the command', async () => {
  await run();
  appendFileSync(program, '\n');
  await run();
  assert.equal(times(), 2);
  await run({ env: { PROPERTY_RUNS: '7' } });
  assert.equal(times(), 3);
  await run({ command: () => ['sh', '-c', `echo run >> ${runs}`] });
  assert.equal(times(), 4);
});

test('a suite that has failed is repeated', async () => {
  writeFileSync(program, 'exit 1');
  for (const count of [1, 2]) {
    const { cases } = await run();
    assert.deepEqual(
      cases.map(({ outcome }) => outcome),
      ['failed'],
    );
    assert.equal(times(), count);
  }
});

test('a part of a suite, a suite whose inputs are missing, and any suite of a run that remembers none are repeated', async () => {
  await run();
  await run({}, false);
  await run({ inputs: [`${folder}/no-such-*`] });
  await run({ inputs: [`${folder}/no-such-*`] });
  await run({}, true, false);
  assert.equal(times(), 5);
});
