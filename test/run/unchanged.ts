/**
 * Remembers which suites have passed, so that a run need not repeat a suite of which nothing has changed since.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Case } from './junit.ts';
import type { CommandLine, Environment } from './types.ts';

/** What the result of a suite depends on. */
export interface Inputs {
  readonly command: CommandLine;
  readonly env: Environment;
  /** Globs of the files that its tests use. */
  readonly globs: readonly string[];
}

/** The digest of all inputs; undefined if a glob matches no file. Files are compared by content. */
export function digestOf({ command, env, globs }: Inputs): string | undefined {
  const hash = createHash('sha256').update(JSON.stringify([command, env]));
  for (const glob of globs) {
    const files = globSync(glob, { withFileTypes: true }).filter((entry) => entry.isFile());
    if (files.length === 0) return undefined;
    for (const file of files.map((entry) => path.join(entry.parentPath, entry.name)).sort()) {
      hash.update(`\0${file}\0`).update(readFileSync(file));
    }
  }
  return hash.digest('hex');
}

/** The name of a suite or preparation as the name of a file, without an extension. */
export const fileNameOf = (name: string): string => name.replaceAll(/\W+/g, '-');

/** The suites that have passed, as one file each in a folder. */
export class PassedSuites {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The cases of the suite if it has passed with these inputs. */
  find(suite: string, digest: string): readonly Case[] | undefined {
    try {
      const passed = JSON.parse(readFileSync(this.#fileOf(suite), 'utf8'));
      return passed.digest === digest ? passed.cases : undefined;
    } catch {
      // It has not passed yet, or the file is not whole.
      return undefined;
    }
  }

  add(suite: string, digest: string, cases: readonly Case[]): void {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(this.#fileOf(suite), JSON.stringify({ digest, cases }));
  }

  #fileOf(suite: string): string {
    return path.join(this.#folder, `${fileNameOf(suite)}.json`);
  }
}
