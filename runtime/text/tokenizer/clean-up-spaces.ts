/** @module Spaces that decoders of some vocabularies leave before punctuation, removed as transformers does. */

import { partialEnd } from '../partial-end.ts';

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
export const unsettledSpaces = (text: string): number =>
  partialEnd(
    text,
    REPLACEMENTS.map(([space]) => space),
  );
