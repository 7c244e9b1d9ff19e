/** @module Vectors of texts. */

import { invalidArgument } from '../../errors.ts';
import type { EmbeddingHead } from '../../text/text-model.ts';
import {
  type EmbeddingContext,
  type EmbeddingOptions,
  headOf,
  prepareEmbeddings,
  type Vectors,
  vectorsOf,
} from './embedding.ts';
import type { TextInput, TextOperation, TextUsage } from './operation.ts';
import { checkTexts } from './texts.ts';
import { usageOf } from './usage.ts';

export interface EmbedInput extends TextInput, EmbeddingOptions {
  /** The prompt of the model that is written before each text. Default: its default prompt, if it has one. */
  readonly promptName?: string | undefined;
}

export interface EmbedOutput extends Vectors {
  readonly usage: TextUsage;
}

/** The vectors of texts, as the model or the request says. */
export const embed: TextOperation<EmbedInput, EmbeddingContext, EmbedOutput> = {
  tasks: ['feature-extraction'],
  async prepare(model, input, signal) {
    const prompt = promptOf(headOf(model), input);
    checkTexts(input);
    return prepareEmbeddings(model, [{ texts: input.texts, prompt }], input, signal);
  },
  async answer(model, results, context) {
    const vectors = await vectorsOf(model, results, context);
    return { ...vectors, usage: usageOf(context.encoded) };
  },
};

/** @throws {ServeError} `INVALID_ARGUMENT` for a prompt that the model does not have. */
function promptOf(
  { prompts, defaultPrompt }: EmbeddingHead,
  { promptName = defaultPrompt }: EmbedInput,
): string {
  if (promptName === undefined) return '';
  if (Object.hasOwn(prompts, promptName)) return prompts[promptName]!;
  const names = Object.keys(prompts);
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  throw invalidArgument(
    `prompt_name is ${JSON.stringify(promptName)}, which is no prompt of the model; ${known}.`,
  );
}
