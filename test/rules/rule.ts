/** @module Defines a rule, and tests that it can fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesUnder, type Source } from './sources.ts';

export interface Rule {
  /** The rule as a statement, such as `runtime/ imports no Hono`. */
  readonly title: string;
  /** Globs of the checked files; each must match a file. */
  readonly files: readonly string[];
  /** Returns every breach as a sentence or a place. It gets all files at once. */
  readonly check: (sources: readonly Source[]) => readonly string[];
  /** Small files that break the rule. Each is checked together with `allowed`, and must be found. */
  readonly breaches: readonly Source[];
  /** Small files that keep the rule, although they look similar. */
  readonly allowed?: readonly Source[];
}

/** Creates a check from a function for one file. */
export const each =
  (check: (source: Source) => readonly string[]) =>
  (sources: readonly Source[]): string[] =>
    sources.flatMap((source) => [...check(source)]);

/** Registers two tests: the project keeps the rule, and the rule finds its breaches. */
export function rule({ title, files, check, breaches, allowed = [] }: Rule): void {
  test(title, () => {
    assert.deepEqual(check(filesUnder(...files)), []);
  });
  test(`${title}: a breach is found`, () => {
    assert.ok(breaches.length > 0);
    assert.deepEqual(check(allowed), []);
    for (const breach of breaches) {
      const found = check([...allowed, breach]);
      assert.notEqual(found.length, 0, `nothing was found in ${breach.path}: ${breach.text}`);
    }
  });
}
