/** @module Encodes the texts of a request for a model: in one window each, or in several. */

import type { CancelSignal } from '../../../native/index.ts';
import type { TextModel } from '../../text/text-model.ts';
import type {
  EncodedText,
  EncodeOptions,
  TextOrPair,
  TokenWindow,
} from '../../text/tokenizer/index.ts';
import type { WindowOptions } from './operation.ts';
import { layOut, type Rows } from './rows.ts';
import { MAX_TOKENS } from './texts.ts';

/** Encoded texts as rows of runs. */
export interface EncodedRows {
  readonly encoded: readonly EncodedText[];
  readonly rows: Rows;
}

/** @throws {ServeError} `PAYLOAD_TOO_LARGE` for too many tokens; else as `TextTokenizer.encode`. */
export function encodeTexts(
  { tokenizer, window }: TextModel,
  texts: readonly TextOrPair[],
  { truncate, stride }: WindowOptions,
  options: EncodeOptions,
  signal: CancelSignal | undefined,
): Promise<readonly EncodedText[]> {
  const overflow = truncate ? 'cut' : 'windows';
  const windowed: EncodeOptions = { window, overflow, maxTokens: MAX_TOKENS, ...options };
  return tokenizer.encode(texts, stride === undefined ? windowed : { ...windowed, stride }, signal);
}

export async function rowsOf(
  model: TextModel,
  encoded: readonly EncodedText[],
): Promise<EncodedRows> {
  return {
    encoded,
    rows: await layOut(
      model,
      encoded.flatMap(({ windows }) => windows),
    ),
  };
}

/** A window of a text, with its index among the windows of all texts. */
export interface TextWindow {
  readonly window: TokenWindow;
  readonly index: number;
}

/** The windows of each text. */
export function* windowsOf(encoded: readonly EncodedText[]): Generator<readonly TextWindow[]> {
  let next = 0;
  for (const { windows } of encoded) {
    const first = next;
    yield windows.map((window, i) => ({ window, index: first + i }));
    next += windows.length;
  }
}
