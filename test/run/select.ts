/** @module Which files each suite runs, and which suites `--only` leaves. */
import { globSync } from 'node:fs';
import type { Suite } from './suites.ts';

export interface Selected {
  readonly suite: Suite;
  /** Sorted, from the top folder. */
  readonly files: readonly string[];
  /** Globs that match no file: each a failure, for a check that saw no file proves nothing. */
  readonly missing: readonly string[];
}

export function filesOf(suite: Suite): Selected {
  const excluded = new Set((suite.except ?? []).flatMap((glob) => globSync(glob)));
  const found = (suite.files ?? []).map((glob) => ({
    glob,
    files: globSync(glob).filter((file) => !excluded.has(file)),
  }));
  return {
    suite,
    files: [...new Set(found.flatMap(({ files }) => files))].sort(),
    missing: found.filter(({ files }) => files.length === 0).map(({ glob }) => glob),
  };
}

/** Suites named by one of `only`, whole; of the others the files whose path contains one. */
export function select(suites: readonly Suite[], only: readonly string[]): Selected[] {
  return suites.map(filesOf).flatMap((selected) => {
    if (only.length === 0 || only.some((text) => selected.suite.name.includes(text))) {
      return [selected];
    }
    const files = selected.files.filter((file) => only.some((text) => file.includes(text)));
    return files.length > 0 ? [{ ...selected, files, missing: [] }] : [];
  });
}
