/** @module Limits on the texts of a request, and on the work that they make. */

import { Buffer } from 'node:buffer';
import { invalidArgument, type ServeError } from '../../errors.ts';
import { type EncodedText, tooMuchText } from '../../text/tokenizer/index.ts';
import type { TextInput } from './operation.ts';

/** The most bytes of all texts of a request together, in UTF-8. */
export const MAX_BYTES = 1024 * 1024;
/** The most tokens of all texts of a request together. */
export const MAX_TOKENS = 100_000;
/** How long the work on the texts of a request may occupy the thread at a time, milliseconds. */
export const TURN_MS = 2;

/**
 * Checks the texts of a request, which may be several lists.
 *
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, or `INVALID_ARGUMENT` for a text that is not Unicode because half of a surrogate
 * pair is missing
 */
export function checkTexts(...inputs: readonly TextInput[]): void {
  let bytes = 0;
  for (const { texts, placeOf } of inputs) {
    texts.forEach((text, i) => {
      bytes += Buffer.byteLength(text);
      if (bytes > MAX_BYTES) throw tooManyBytes(inputs);
      if (text.isWellFormed()) return;
      throw invalidArgument(
        `${placeOf(i)} has a lone surrogate, which is no character; send well-formed Unicode.`,
        placeOf(i).replace(/\[\d+\]$/, ''),
      );
    });
  }
}

const tooManyBytes = (inputs: readonly TextInput[]): ServeError =>
  tooMuchText(
    inputs.reduce((sum, { texts }) => sum + texts.length, 0),
    'more than 1 MiB in UTF-8',
  );

/** @throws {ServeError} `PAYLOAD_TOO_LARGE` */
export function checkTokens(encoded: readonly EncodedText[]): void {
  const tokens = encoded.reduce((sum, { length }) => sum + length, 0);
  if (tokens <= MAX_TOKENS) return;
  throw tooMuchText(encoded.length, `${tokens} tokens, and at most ${MAX_TOKENS} are allowed`);
}
