/** @module Spaces that decoders of some vocabularies leave before punctuation, removed as transformers does. */

/** What replaces what, in this order. */
const REPLACEMENTS: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

export const cleanUpSpaces = (text: string): string =>
  REPLACEMENTS.reduce((all, [space, without]) => all.replaceAll(space, without), text);

/** How many characters at the end of a text, cleaned up or not, may still change when more text follows. */
export function unsettledSpaces(text: string): number {
  let most = 0;
  for (const [space] of REPLACEMENTS) {
    for (let length = space.length - 1; length > most; length -= 1) {
      if (text.endsWith(space.slice(0, length))) most = length;
    }
  }
  return most;
}
