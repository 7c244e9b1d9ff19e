/** @module The refusal of texts that are too long together. */

import { ServeError } from '../../errors.ts';

/**
 * @param texts How many texts there are.
 * @param amount What they have, such as `more than 100000 tokens`.
 */
export const tooMuchText = (texts: number, amount: string): ServeError =>
  new ServeError(
    'PAYLOAD_TOO_LARGE',
    texts === 1
      ? `The text has ${amount}; divide the text.`
      : `The texts have ${amount}; send them in several requests.`,
  );

export const tooManyTokens = (texts: number, limit: number): ServeError =>
  tooMuchText(texts, `more than ${limit} tokens`);
