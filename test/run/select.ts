/** @module Selects the files that each suite runs: all, those that match `--only`, or those that a change can affect. */
import { globSync } from 'node:fs';
import type { Suite } from './types.ts';

export interface Selected {
  readonly suite: Suite;
  /** Sorted paths relative to the top folder. */
  readonly files: readonly string[];
  /** Whether these are all files of the suite. */
  readonly whole: boolean;
  /** Globs that match no file. Each is a failure, because a check without files proves nothing. */
  readonly missing: readonly string[];
}

/** The files of a suite that one process runs. */
export interface Part {
  readonly files: readonly string[];
  readonly whole: boolean;
  /** Whether no other part may run at the same time. */
  readonly alone: boolean;
}

const matching = (globs: readonly string[]) => new Set(globs.flatMap((glob) => globSync(glob)));

export function filesOf(suite: Suite): Selected {
  const excluded = matching(suite.except ?? []);
  const found = (suite.files ?? []).map((glob) => ({
    glob,
    files: globSync(glob).filter((file) => !excluded.has(file)),
  }));
  return {
    suite,
    files: [...new Set(found.flatMap(({ files }) => files))].sort(),
    whole: true,
    missing: found.filter(({ files }) => files.length === 0).map(({ glob }) => glob),
  };
}

/** The suite with some of its files, or an empty list if there are none. */
function narrowed(selected: Selected, keep: (file: string) => boolean): Selected[] {
  const files = selected.files.filter(keep);
  const whole = files.length === selected.files.length;
  return files.length > 0 ? [{ ...selected, files, whole, missing: [] }] : [];
}

/** Keeps suites whose name contains one of `only`, and files of other suites whose path contains one. */
export function selectOnly(selected: readonly Selected[], only: readonly string[]): Selected[] {
  if (only.length === 0) return [...selected];
  return selected.flatMap((entry) =>
    only.some((text) => entry.suite.name.includes(text))
      ? [entry]
      : narrowed(entry, (file) => only.some((text) => file.includes(text))),
  );
}

/** Keeps suites that run after every change, and files of other suites that the change affects. */
export function selectChanged(
  selected: readonly Selected[],
  affects: (file: string) => boolean,
): Selected[] {
  return selected.flatMap((entry) => {
    const { changed } = entry.suite;
    if (changed === 'always') return [entry];
    return changed === 'never' ? [] : narrowed(entry, affects);
  });
}

/** Divides a suite among processes: as many as there are slots, and one for files that must run alone. */
export function partsOf({ suite, files, whole, missing }: Selected, slots: number): Part[] {
  if (files.length === 0 || missing.length > 0 || suite.alone === true) {
    return [{ files, whole, alone: suite.alone === true }];
  }
  const measuring = matching(suite.alone ?? []);
  const others = files.filter((file) => !measuring.has(file));
  const shares = suite.split ? Math.min(slots, others.length) : Math.min(1, others.length);
  const parts = Array.from({ length: shares }, (_, share) => ({
    // Neighbours in a folder take about the same time, so each process gets every n-th file.
    files: others.filter((_file, index) => index % shares === share),
    alone: false,
  }));
  const alone = files.filter((file) => measuring.has(file));
  if (alone.length > 0) parts.push({ files: alone, alone: true });
  return parts.map((part) => ({ ...part, whole: whole && parts.length === 1 }));
}
