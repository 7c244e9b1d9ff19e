/** @module The tokens of texts: what a model sees of them. */

import { ShortTurns } from '../../short-turns.ts';
import { TEXT_TASKS } from '../../text/text-model.ts';
import { TextOffsets } from '../../text/tokenizer/index.ts';
import type { TextInput, TextOperation, TextUsage } from './operation.ts';
import { checkTexts, MAX_TOKENS, TURN_MS } from './texts.ts';
import { usageOf } from './usage.ts';

/** Tokens that are described without a look at the time. */
const STEP = 1024;

export interface TokenizeInput extends TextInput {
  /** Default: true. */
  readonly addSpecialTokens?: boolean | undefined;
  /** Whether the name of a special token in a text is ordinary text. Default: false. */
  readonly splitSpecialTokens?: boolean | undefined;
}

export interface TextTokens {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /** Start and end of each token in UTF-16 code units; 0 and 0 for special tokens. */
  readonly offsets: readonly (readonly [start: number, end: number])[];
}

export interface TokenizeOutput {
  readonly results: readonly TextTokens[];
  readonly usage: TextUsage;
}

/** Texts are not cut, and there is nothing to run. */
export const tokenize: TextOperation<TokenizeInput, TokenizeOutput, TokenizeOutput> = {
  // Embedding models first.
  tasks: ['feature-extraction', ...TEXT_TASKS.filter((task) => task !== 'feature-extraction')],
  async prepare({ tokenizer }, input, signal) {
    checkTexts(input);
    const { texts, addSpecialTokens = true, splitSpecialTokens = false } = input;
    const options = { addSpecialTokens, splitSpecialTokens, offsets: true, maxTokens: MAX_TOKENS };
    const encoded = await tokenizer.encode(texts, options, signal);
    const turns = new ShortTurns(TURN_MS);
    const results: TextTokens[] = [];
    for (const [i, { windows }] of encoded.entries()) {
      const [window] = windows;
      const places = new TextOffsets(texts[i]!);
      const ids: number[] = [];
      const tokens: string[] = [];
      const offsets: [number, number][] = [];
      for (let from = 0; from < window!.ids.length; from += STEP) {
        const some = window!.ids.subarray(from, from + STEP);
        tokens.push(...(await tokenizer.namesOf(some)));
        for (const [j, id] of some.entries()) {
          const [start, end] = window!.offsets!.subarray(2 * (from + j));
          ids.push(id);
          offsets.push([places.at(start!, 'utf16'), places.at(end!, 'utf16')]);
        }
        await turns.pause();
      }
      results.push({ ids, tokens, offsets });
    }
    return { runs: [], outputs: [], context: { results, usage: usageOf(encoded) } };
  },
  answer: (_model, _results, context) => context,
};
