/** @module A rule and the proof that it can fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesUnder, type Source } from './sources.ts';

export interface Rule {
  /** The rule, said as it should be: `runtime/ imports no Hono`. */
  readonly title: string;
  /** Globs of the files it looks at; each must match a file. */
  readonly files: readonly string[];
  /** Every breach, one sentence or place each. It sees all files at once. */
  readonly check: (sources: readonly Source[]) => readonly string[];
  /** Small files that break the rule, one at a time beside `allowed`; each must be found. */
  readonly breaches: readonly Source[];
  /** Small files that keep the rule although they look similar. */
  readonly allowed?: readonly Source[];
}

/** A check that looks at one file at a time. */
export const each =
  (check: (source: Source) => readonly string[]) =>
  (sources: readonly Source[]): string[] =>
    sources.flatMap((source) => [...check(source)]);

/** Registers the rule as two tests: the project keeps it, and it notices its planted breaches. */
export function rule({ title, files, check, breaches, allowed = [] }: Rule): void {
  test(title, () => {
    assert.deepEqual(check(filesUnder(...files)), []);
  });
  test(`${title}: a breach is noticed`, () => {
    assert.ok(breaches.length > 0);
    assert.deepEqual(check(allowed), []);
    for (const breach of breaches) {
      const found = check([...allowed, breach]);
      assert.notEqual(found.length, 0, `nothing was found in ${breach.path}: ${breach.text}`);
    }
  });
}
