/**
 * What a change can affect: a file is affected if it, or a file that it uses, has changed. It uses what
 * it imports or includes, and what a string in it names, such as a program that it starts. A header
 * stands for its sources, and the module that loads the addon for all of the addon's.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { code, importsOf, includesOf } from '../rules/sources.ts';

/** A change to them may affect any test: packages, and settings of the runtimes. */
const everywhere = /^(?:package(?:-lock)?\.json|bunfig\.toml|deno\.json|tsconfig\.json)$/;

/** Folders of data, which a string may name as a whole. */
const dataFolders = /^(?:models|bench\/models|test\/fixtures)(?:\/|$)/;

const addonDoor = 'native/binding.ts';
const includeFolders = ['native/src', 'test/native/cpp', 'test/native'];

const git = (...parameters: readonly string[]): string =>
  execFileSync('git', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** The commit at which the work on this branch began. */
function mergeBase(): string {
  for (const main of ['origin/main', 'main']) {
    try {
      return git('merge-base', 'HEAD', main).trim();
    } catch {
      // There is no such branch here.
    }
  }
  throw new Error('Cannot find what has changed: there is neither origin/main nor main');
}

/** Files that differ from where this branch left main, committed or not, new ones included. */
export function changedFiles(): string[] {
  const differing = git('diff', '--name-only', '--no-renames', mergeBase());
  const untracked = git('ls-files', '--others', '--exclude-standard');
  return `${differing}${untracked}`.split('\n').filter((line) => line !== '');
}

/** Reads a file, '' where it is gone. */
export type Read = (file: string) => string;

/** Of each C++ source the headers whose declarations it defines: its own, or any of its layer. */
function headersOf(source: string, text: string): string[] {
  const includes = includesOf({ path: source, text }).map((target) => target.slice(1, -1));
  const stem = path.basename(source, '.cc');
  const own = includes.find((header) => stem.startsWith(path.basename(header, '.h')));
  const layer = path.basename(path.dirname(source));
  return own ? [own] : includes.filter((header) => path.dirname(header) === layer);
}

/** Says of files whether they are affected by a change. */
export class Affected {
  readonly #changed: ReadonlySet<string>;
  readonly #all: boolean;
  readonly #read: Read;
  /** The sources behind each header. */
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
      // Modules of one folder import each other by their names alone.
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

/** Files, and folders of data, that a string names from the top folder or from that of the file. */
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
