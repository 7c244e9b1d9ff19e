/**
 * Finds the files that a change can affect: those that have changed, and those that use one of these. A file uses the files
 * that it imports or includes, and those that a string in it names, such as a program that it starts. A header includes
 * its sources, and the module that loads the addon includes all sources of the addon.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { code, importsOf, includesOf } from '../rules/sources.ts';

/** Files that may affect any test: packages, and settings of the runtimes. */
const everywhere = /^(?:package(?:-lock)?\.json|bunfig\.toml|deno\.json|tsconfig\.json)$/;

/** Folders of data, which a string may name instead of their files. */
const dataFolders = /^(?:models|bench\/models|test\/fixtures)(?:\/|$)/;

const addonDoor = 'native/binding.ts';
const includeFolders = ['native/src', 'test/native/cpp', 'test/native'];

const git = (...parameters: readonly string[]): string =>
  execFileSync('git', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** The commit at which this branch left `main`. */
function mergeBase(): string {
  for (const main of ['origin/main', 'main']) {
    try {
      return git('merge-base', 'HEAD', main).trim();
    } catch {
      // This branch does not exist.
    }
  }
  throw new Error('Cannot find what has changed: there is neither origin/main nor main');
}

/** The files that differ from the commit at which this branch left `main`, including uncommitted and new ones. */
export function changedFiles(): string[] {
  const differing = git('diff', '--name-only', '--no-renames', mergeBase());
  const untracked = git('ls-files', '--others', '--exclude-standard');
  return `${differing}${untracked}`.split('\n').filter((line) => line !== '');
}

/** Reads a file; returns '' if it does not exist. */
export type Read = (file: string) => string;

/** The headers whose declarations each C++ source defines: its own, or any of its layer. */
function headersOf(source: string, text: string): string[] {
  const includes = includesOf({ path: source, text }).map((target) => target.slice(1, -1));
  const stem = path.basename(source, '.cc');
  const own = includes.find((header) => stem.startsWith(path.basename(header, '.h')));
  const layer = path.basename(path.dirname(source));
  return own ? [own] : includes.filter((header) => path.dirname(header) === layer);
}

/** Decides whether files are affected by a change. */
export class Affected {
  readonly #changed: ReadonlySet<string>;
  readonly #all: boolean;
  readonly #read: Read;
  /** The sources that define the declarations of each header. */
  readonly #sources = new Map<string, string[]>();
  readonly #native: readonly string[];
  readonly #uses = new Map<string, readonly string[]>();

  constructor(changed: readonly string[], read: Read = readIfThere) {
    this.#changed = new Set(changed);
    this.#all = changed.some((file) => everywhere.test(file));
    this.#read = read;
    this.#native = ['CMakeLists.txt', ...globSync('native/src/**/*.{cc,h}')];
    for (const source of this.#native.filter((file) => file.endsWith('.cc'))) {
      for (const header of headersOf(source, read(source))) {
        const file = `native/src/${header}`;
        this.#sources.set(file, [...(this.#sources.get(file) ?? []), source]);
      }
    }
  }

  has(file: string): boolean {
    if (this.#all) return true;
    const seen = new Set<string>();
    const left = [file];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (seen.has(next)) continue;
      if (this.#hasChanged(next)) return true;
      seen.add(next);
      left.push(...this.#usesOf(next));
    }
    return false;
  }

  /** A folder has changed if a file in it has. */
  #hasChanged(file: string): boolean {
    if (this.#changed.has(file)) return true;
    return dataFolders.test(file) && [...this.#changed].some((name) => name.startsWith(`${file}/`));
  }

  #usesOf(file: string): readonly string[] {
    let uses = this.#uses.get(file);
    if (uses === undefined) {
      uses = this.#find(file);
      this.#uses.set(file, uses);
    }
    return uses;
  }

  #find(file: string): string[] {
    if (/\.(?:cc|h)$/.test(file)) return this.#included(file);
    if (!/\.(?:[cm]?[jt]s|py)$/.test(file)) return [];
    const text = this.#read(file);
    const imports = importsOf({ path: file, text }).filter(({ typeOnly }) => !typeOnly);
    return [
      ...imports.map(({ target }) => target),
      ...namedIn(text, file),
      ...(file === addonDoor ? this.#native : []),
      // Python modules of a folder import each other by name only.
      ...(file.endsWith('.py') ? globSync(`${path.dirname(file)}/*.{py,ini}`) : []),
    ];
  }

  #included(file: string): string[] {
    const text = this.#read(file);
    const quoted = includesOf({ path: file, text }).filter((target) => target.startsWith('"'));
    const targets = quoted.map((target) => target.slice(1, -1));
    return [
      ...targets.flatMap((target) =>
        [path.dirname(file), ...includeFolders].map((folder) => path.join(folder, target)),
      ),
      ...(this.#sources.get(file) ?? []),
      ...(file.startsWith('test/native/')
        ? ['CMakeLists.txt', ...globSync('test/native/*/CMakeLists.txt')]
        : []),
    ];
  }
}

const readIfThere: Read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** The files and data folders that a string names, relative to the top folder or to that of the file. */
function namedIn(text: string, file: string): string[] {
  const strings = code(text).matchAll(/(['"`])([\w@./-]*[\w-])\1/g);
  const named = [...strings].map(([, , string = '']) => string);
  return [...new Set(named)].flatMap((string) =>
    [path.normalize(string), path.join(path.dirname(file), string)].filter((candidate) => {
      if (candidate.startsWith('..') || /^(?:node_modules|build)\//.test(candidate)) return false;
      const found = statSync(candidate, { throwIfNoEntry: false });
      return found?.isFile() || (found?.isDirectory() && dataFolders.test(candidate));
    }),
  );
}
