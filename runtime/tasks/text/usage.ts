/** @module What a request cost. */

import type { EncodedText } from '../../text/tokenizer/index.ts';
import type { TextUsage } from './operation.ts';

/** The usage of texts, or of pairs, each of which counts as a text. */
export function usageOf(encoded: readonly EncodedText[]): TextUsage {
  let tokens = 0;
  let truncated = 0;
  for (const text of encoded) {
    for (const { ids } of text.windows) tokens += ids.length;
    if (text.truncated) truncated += 1;
  }
  return { tokens, truncated };
}
