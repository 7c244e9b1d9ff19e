/** @module Rules about the length of files, and about skipped tests. */
import { each, rule } from './rule.ts';
import { code, occurrences, type Source } from './sources.ts';

/** Files that may exceed the limit, each with the reason. */
const excused: Readonly<Record<string, string>> = {};

const tooLong = (limit: number) =>
  each(({ path, text }: Source) => {
    const lines = text.trimEnd().split('\n').length;
    return lines > limit && !(path in excused)
      ? [`${path} has ${lines} lines, the limit is ${limit}`]
      : [];
  });

const lines = (path: string, count: number): Source => ({ path, text: 'x\n'.repeat(count) });

rule({
  title: 'source files have at most 400 lines',
  files: ['{native,runtime,services,bench,models}/**/*.{ts,mjs,py}', '{native,bench}/**/*.{h,cc}'],
  check: tooLong(400),
  breaches: [lines('runtime/a.ts', 401)],
  allowed: [lines('runtime/b.ts', 400)],
});

rule({
  title: 'test files have at most 600 lines',
  files: ['test/**/*.ts', 'test/**/*.{h,cc}'],
  check: tooLong(600),
  breaches: [lines('test/a.test.ts', 601)],
  allowed: [lines('test/b.test.ts', 600)],
});

rule({
  title: 'a skipped test has the reason in its options',
  files: ['test/**/*.test.ts'],
  // On Deno `t.skip()` passes, and `true` gives no reason.
  check: each((source) =>
    occurrences(
      source,
      code(source.text, { strings: true }),
      /\b(?:t|test|it|describe|suite|context)\.(?:skip|todo|only)\(|\b(?:skip|todo|only):\s*true\b/g,
    ),
  ),
  breaches: [
    { path: 'test/a.test.ts', text: "test.skip('a', () => {});" },
    { path: 'test/a.test.ts', text: "test('a', { skip: true }, () => {});" },
    { path: 'test/a.test.ts', text: "test('a', (t) => t.skip('later'));" },
    { path: 'test/a.test.ts', text: "describe.only('a', () => {});" },
  ],
  allowed: [{ path: 'test/b.test.ts', text: "test('a', { skip: 'needs a GPU' }, () => {});" }],
});
