/** @module The tokens that a model wants before, between and after texts, such as `[CLS]` and `[SEP]`. */

/** A part of a window: a token, or the place of a text. */
export type Part =
  | { readonly id: number; readonly typeId: number }
  | { readonly text: 'first' | 'second'; readonly typeId: number };

/** The order of texts and special tokens in a window. */
export interface SpecialTokens {
  readonly single: readonly Part[];
  readonly pair: readonly Part[];
}

/** A window without special tokens. The type of a text is what it is with them. */
export const onlyTexts = (parts: readonly Part[]): readonly Part[] =>
  parts.filter((part) => 'text' in part);

/** How many special tokens there are. */
export const countSpecial = (parts: readonly Part[]): number =>
  parts.reduce((count, part) => count + ('id' in part ? 1 : 0), 0);
