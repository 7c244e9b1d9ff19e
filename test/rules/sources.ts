/** @module The files that rules check, and the parsing that they share. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A file with its path relative to the top folder, with `/` as separator. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** The target of the import: a package, `node:fs`, or a path relative to the top folder. */
  readonly target: string;
  readonly typeOnly: boolean;
  /** Whether the statement also exports what it imports. */
  readonly reExport: boolean;
}

const top = path.resolve(import.meta.dirname, '../..');

/**
 * The files that match the globs, which are relative to the top folder.
 *
 * @throws {Error} if a glob matches no file, because a rule without files proves nothing.
 */
export function filesUnder(...globs: readonly string[]): Source[] {
  const paths = globs.flatMap((glob) => {
    const found = globSync(glob, { cwd: top }).filter((file) => !file.includes('node_modules/'));
    if (found.length === 0) throw new Error(`No file matches ${glob}, so the rule checks nothing`);
    return found;
  });
  return [...new Set(paths)].sort().map((file) => ({
    path: file,
    text: readFileSync(path.join(top, file), 'utf8'),
  }));
}

/**
 * Returns the text with blanks instead of comments, so that line numbers remain. With `strings: true` the contents of string
 * and template literals are blanked too.
 */
export function code(text: string, { strings = false } = {}): string {
  const blank = (part: string) => part.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (part) => {
      if (part.startsWith('/')) return blank(part);
      return strings ? part[0] + blank(part.slice(1, -1)) + part[0] : part;
    },
  );
}

/** Returns every match as `path:line: matched text`, so that a breach has its place. */
export function occurrences(source: Source, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    return `${source.path}:${line}: ${match[0].trim().replaceAll(/\s+/g, ' ')}`;
  });
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return path.posix.join(path.posix.dirname(from), specifier);
}

/** Finds the static, re-exporting and literal dynamic imports of a TypeScript file. */
export function importsOf(source: Source): Import[] {
  const text = code(source.text);
  const statements = text.matchAll(
    /^(import|export)\b(\s+type\b)?(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm,
  );
  const dynamic = text.matchAll(/\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g);
  return [
    ...[...statements].map(([, keyword, type, specifier = '']) => ({
      target: resolve(source.path, specifier),
      typeOnly: type !== undefined,
      reExport: keyword === 'export',
    })),
    ...[...dynamic].map(([, specifier = '']) => ({
      target: resolve(source.path, specifier),
      typeOnly: false,
      reExport: false,
    })),
  ];
}

/** The targets of the `#include` lines of a C++ file, with their brackets or quotes. */
export function includesOf(source: Source): string[] {
  return [...code(source.text).matchAll(/^\s*#\s*include\s*([<"][^>"]+[>"])/gm)].map(
    ([, target = '']) => target,
  );
}
