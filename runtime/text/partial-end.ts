/** @module Strings of which a text may have only the beginning so far. */

/** How many characters at the end of the text are the beginning, but not the whole, of one of the strings; the most of all. */
export function partialEnd(text: string, strings: Iterable<string>): number {
  let most = 0;
  for (const each of strings) {
    for (let length = Math.min(each.length - 1, text.length); length > most; length -= 1) {
      if (text.endsWith(each.slice(0, length))) most = length;
    }
  }
  return most;
}
