/** @module The public interface of tokenizing. */

export { joinTokenizers, type OpenTokenizers, openTokenizers } from './open-tokenizers.ts';
export { type OffsetUnit, TextOffsets } from './text-offsets.ts';
export type {
  EncodedText,
  EncodeOptions,
  TextOrPair,
  TextTokenizer,
  TokenizerFacts,
  TokenizerSource,
  Tokenizers,
  TokenTextStream,
  TokenWindow,
} from './tokenizer.ts';
export { tooMuchText } from './too-much-text.ts';
