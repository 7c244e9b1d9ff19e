/** @module Finds the reason of a skipped test, for runtimes whose reports omit it. */
import { readFileSync } from 'node:fs';

/**
 * The text after `skip:` in the options of the named test, such as `test('name', { skip: 'why' }, …)`.
 *
 * @returns '' if no file has such a test
 */
export function reasonIn(source: string, name: string): string {
  const own = name.split(' > ').at(-1) ?? name;
  for (const quote of ["'", '"', '`']) {
    const start = source.indexOf(`${quote}${own}${quote}`);
    if (start === -1) continue;
    const options = source.slice(start + own.length + 2).split('=>', 1)[0] ?? '';
    const reason = /\bskip:[^'"`]*(['"`])(.*?)\1/s.exec(options)?.[2];
    if (reason) return reason;
  }
  return '';
}

export function reasonInFiles(files: readonly string[], name: string): string {
  for (const file of files) {
    const reason = reasonIn(readFileSync(file, 'utf8'), name);
    if (reason !== '') return reason;
  }
  return '';
}
