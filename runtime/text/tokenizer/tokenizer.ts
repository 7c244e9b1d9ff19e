/**
 * The interface of a tokenizer: the code that cuts texts into tokens, whose ids a model takes, and joins tokens to text.
 * `open-tokenizers.ts` opens one.
 *
 * @module
 */

import type { CancelSignal } from '../../../native/index.ts';

/** A text, or a question and a text about it that a model reads together. */
export type TextOrPair = string | readonly [first: string, second: string];

/** How texts become windows, which are the sequences of tokens that a model takes. */
export interface EncodeOptions {
  /** The most tokens of a window, special ones included. Default: no limit, so that a text is one window. */
  readonly window?: number;
  /**
   * What becomes of a text that is longer than a window. `windows`: further windows. `cut`: the rest is left out, and
   * `EncodedText.truncated` says so. Default: `windows`.
   */
  readonly overflow?: 'windows' | 'cut';
  /** The tokens that a window shares with the one before it; less if that is more than half of a window. Default: 128. */
  readonly stride?: number;
  /**
   * Which text of a pair is cut, or divided into windows, if both together are longer than a window. `longest_first`
   * shortens the longer one until both are equally long, as `tokenizers` does, and can only be cut. Default: `only_second`.
   */
  readonly pairs?: 'longest_first' | 'only_first' | 'only_second';
  /** Whether windows get the special tokens of the model, such as `[CLS]` and `[SEP]`. Default: true. */
  readonly addSpecialTokens?: boolean;
  /** Whether the name of a special token in a text, such as `[MASK]`, is an ordinary part of the text. Default: false. */
  readonly splitSpecialTokens?: boolean;
  /** Whether `TokenWindow.offsets` is set. Default: false. */
  readonly offsets?: boolean;
  /** Written before each text, also at the beginning of each of its further windows. Not for pairs. Default: nothing. */
  readonly prefix?: string;
  /**
   * The most tokens of all texts together, special ones not counted: more are refused with `PAYLOAD_TOO_LARGE` before time is
   * spent on them. Default: no limit.
   */
  readonly maxTokens?: number;
}

/** A sequence of tokens. All lists have one entry for each token, special ones included. */
export interface TokenWindow {
  readonly ids: Int32Array;
  /** 0 for tokens of the first text and 1 for tokens of the second one, or what the model has instead. */
  readonly typeIds: Int32Array;
  /** 1 for the tokens that are not part of a text, such as `[CLS]`. */
  readonly special: Uint8Array;
  /** How many of the tokens are part of a text. */
  readonly own: number;
  /**
   * The first character of each token and the one after its last, alternately, counted in code points of the text that it
   * is part of, to which its prefix belongs; 0 and 0 for special tokens. Undefined if they were not requested.
   */
  readonly offsets: Uint32Array | undefined;
}

export interface EncodedText {
  /** At least one, in the order of the text. */
  readonly windows: readonly TokenWindow[];
  /** Tokens of the text or pair as a whole, without special ones, also if some of them were left out. */
  readonly length: number;
  /** How many of them are those of the prefix, with which the own tokens of each window begin. */
  readonly prefixLength: number;
  /** Whether tokens were left out. */
  readonly truncated: boolean;
}

/** Text from tokens that arrive one after another. */
export interface TokenTextStream {
  /**
   * The text that the tokens add. Text that a following token may still change, such as a part of a character, is held back
   * until `end`.
   */
  push(ids: ArrayLike<number>): Promise<string>;
  /** The text that was held back, if there is any. */
  end(): Promise<string>;
}

/** Facts about a tokenizer that do not change. */
export interface TokenizerFacts {
  /** Tokens of the vocabulary, including added ones. */
  readonly size: number;
  /** How many special tokens a window of one text has, and one of a pair. */
  readonly added: { readonly single: number; readonly pair: number };
  /** The side on which a text is cut. */
  readonly truncationSide: 'left' | 'right';
  /** The side and the id of padding of `tokenizer.json`; undefined if it has none. */
  readonly padding: { readonly side: 'left' | 'right'; readonly id: number } | undefined;
  /** The prefix of tokens that continue a word, such as `##`; undefined if the vocabulary has none. */
  readonly continuingPrefix: string | undefined;
  /** The id of the token for everything that the vocabulary does not have; undefined if there is none. */
  readonly unknownId: number | undefined;
}

export interface TextTokenizer {
  readonly facts: TokenizerFacts;
  /**
   * Encodes texts in another thread. Ids are those of Python's `tokenizers`.
   *
   * @param texts May hold no lone surrogate.
   * @throws {ServeError} `INVALID_ARGUMENT` if a window is too short for the part of a pair, or the prefix, that must not be
   * cut; `PAYLOAD_TOO_LARGE`; `INTERNAL` if the thread has failed. With the signal's reason if it aborts.
   */
  encode(
    texts: readonly TextOrPair[],
    options?: EncodeOptions,
    signal?: CancelSignal,
  ): Promise<readonly EncodedText[]>;
  /**
   * Refuses what `encode` would certainly refuse because of its `maxTokens`, without encoding it.
   *
   * @throws {ServeError} `PAYLOAD_TOO_LARGE`
   */
  checkLength(texts: readonly string[], maxTokens: number): void;
  /** The text of tokens, without special ones. Ids outside the vocabulary have no text. */
  decode(ids: ArrayLike<number>): Promise<string>;
  /** Text from tokens that arrive one after another, without special ones. */
  stream(): TokenTextStream;
  /** The names of tokens in the vocabulary; '' for ids outside it. */
  namesOf(ids: ArrayLike<number>): Promise<readonly string[]>;
  /** The id of a token by its name; undefined if the vocabulary does not have it. */
  idOf(name: string): Promise<number | undefined>;
  /** Frees the tokenizer when what was begun has ended. */
  close(): Promise<void>;
}

/** The files that describe a tokenizer. */
export interface TokenizerSource {
  /** The path of `tokenizer.json`. */
  readonly path: string;
  /** `clean_up_tokenization_spaces`: whether decoding removes spaces before punctuation. Default: false. */
  readonly cleanUpSpaces?: boolean;
  /** `truncation_side`. Default: that of `tokenizer.json`, else right. */
  readonly truncationSide?: 'left' | 'right';
  /**
   * `do_lower_case` of sentence-transformers: texts are encoded in small letters, whatever `tokenizer.json` says. Offsets are
   * then those of the small letters, of which a few texts have more. Default: false.
   */
  readonly lowersCase?: boolean;
  /** `unk_token`. Default: that of `tokenizer.json`. */
  readonly unknownToken?: string;
}

/** The tokenizers of a process. Each has a thread of its own, which all HTTP threads share. */
export interface Tokenizers {
  /**
   * Loads a tokenizer, which is closed by its owner. Equal files are loaded once.
   *
   * @throws {ServeError} `INVALID_CONFIG` with the reason why the file is no tokenizer.
   */
  load(source: TokenizerSource): Promise<TextTokenizer>;
  /** Ends all threads. */
  close(): Promise<void>;
}
