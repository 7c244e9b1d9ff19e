import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonIn } from './reason.ts';
import { filesOf, select } from './select.ts';
import type { Suite } from './suites.ts';

const suite = (name: string, files: readonly string[]): Suite => ({
  name,
  files,
  command: () => [],
});

test('a glob that matches nothing is told', () => {
  const { files, missing } = filesOf(suite('a', ['test/run/*.test.ts', 'no-such/*.test.ts']));
  assert.ok(files.includes('test/run/select.test.ts'));
  assert.deepEqual(missing, ['no-such/*.test.ts']);
});

test('--only keeps suites by name, and of the others the files by path', () => {
  const both = [suite('rules', ['test/rules/*.test.ts']), suite('bun', ['test/run/*.test.ts'])];
  const names = (only: string[]) =>
    select(both, only).map((entry) => `${entry.suite.name}: ${entry.files.length > 1}`);
  assert.deepEqual(names([]), ['rules: true', 'bun: true']);
  assert.deepEqual(names(['rules']), ['rules: true']);
  assert.deepEqual(names(['junit']), ['bun: false']);
  assert.deepEqual(names(['nowhere']), []);
});

test('the reason of a skip is found in the source where the report drops it', () => {
  const source = `
    test('plain', () => {});
    test('with a GPU', { skip: hasGpu() ? false : 'no GPU here' }, async () => {});
    it("quoted", { timeout: 5, skip: "not on musl" }, () => {});`;
  assert.equal(reasonIn(source, 'group > with a GPU'), 'no GPU here');
  assert.equal(reasonIn(source, 'quoted'), 'not on musl');
  assert.equal(reasonIn(source, 'plain'), '');
});
