import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { reasonIn } from './reason.ts';
import { filesOf, partsOf, type Selected, selectChanged, selectOnly } from './select.ts';
import { suites } from './suites.ts';
import type { Suite } from './types.ts';

const suite = (name: string, files: readonly string[]): Suite => ({
  name,
  files,
  command: () => [],
});

test('a glob that matches nothing is reported', () => {
  const { files, missing } = filesOf(suite('a', ['test/run/*.test.ts', 'no-such/*.test.ts']));
  assert.ok(files.includes('test/run/select.test.ts'));
  assert.deepEqual(missing, ['no-such/*.test.ts']);
});

/** What a glob stands for: `{a,b}.ts` for `a.ts` and `b.ts`. */
function alternatives(glob: string): readonly string[] {
  const [braces, list] = /\{([^{}]*)\}/.exec(glob) ?? [];
  if (braces === undefined) return [glob];
  return list!.split(',').flatMap((each) => alternatives(glob.replace(braces, each)));
}

test('every glob of a suite, and each of its alternatives, matches a file', () => {
  assert.deepEqual(alternatives('{a,b}/{c,d}'), ['a/c', 'a/d', 'b/c', 'b/d']);
  for (const { name, files = [], except = [], alone } of suites) {
    const globs = [...files, ...except, ...(typeof alone === 'object' ? alone : [])];
    const unmatched = globs.flatMap(alternatives).filter((glob) => globSync(glob).length === 0);
    assert.deepEqual(unmatched, [], name);
  }
});

const namesOf = (selected: readonly Selected[]) =>
  selected.map((entry) => `${entry.suite.name}: ${entry.whole}`);

test('--only selects suites by name, and files of other suites by path', () => {
  const both = [suite('rules', ['test/rules/*.test.ts']), suite('bun', ['test/run/*.test.ts'])];
  const names = (only: string[]) => namesOf(selectOnly(both.map(filesOf), only));
  assert.deepEqual(names([]), ['rules: true', 'bun: true']);
  assert.deepEqual(names(['rules']), ['rules: true']);
  assert.deepEqual(names(['junit']), ['bun: false']);
  assert.deepEqual(names(['nowhere']), []);
});

test('--changed selects the affected files, and suites that always run', () => {
  const rules: Suite = { ...suite('rules', ['test/rules/*.test.ts']), changed: 'always' };
  const heavy: Suite = { ...suite('heavy', ['test/run/*.test.ts']), changed: 'never' };
  const all = [rules, heavy, suite('bun', ['test/run/*.test.ts'])].map(filesOf);
  const names = (text: string) => namesOf(selectChanged(all, (file) => file.includes(text)));
  assert.deepEqual(names('junit'), ['rules: true', 'bun: false']);
  assert.deepEqual(names('test/run/'), ['rules: true', 'bun: true']);
  assert.deepEqual(names('nowhere'), ['rules: true']);
});

test('a suite is divided among processes, and files that measure time get their own', () => {
  const all: Suite = {
    ...suite('bun', ['test/run/*.test.ts']),
    split: true,
    alone: ['test/run/junit.test.ts'],
  };
  const { files } = filesOf(all);
  const parts = partsOf(filesOf(all), 2);
  assert.deepEqual(
    parts.map(({ alone }) => alone),
    [false, false, true],
  );
  assert.deepEqual(parts.flatMap((part) => part.files).toSorted(), files);
  assert.deepEqual(parts[2]?.files, ['test/run/junit.test.ts']);
  assert.equal(partsOf(filesOf(suite('bun', ['test/run/*.test.ts'])), 2).length, 1);
});

test('the reason of a skip is read from the source if the report omits it', () => {
  const source = `
    test('plain', () => {});
    test('with a GPU', { skip: hasGpu() ? false : 'no GPU here' }, async () => {});
    it("quoted", { timeout: 5, skip: "not on musl" }, () => {});`;
  assert.equal(reasonIn(source, 'group > with a GPU'), 'no GPU here');
  assert.equal(reasonIn(source, 'quoted'), 'not on musl');
  assert.equal(reasonIn(source, 'plain'), '');
});
