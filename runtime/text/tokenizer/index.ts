/** @module The public interface of tokenizing. */

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
