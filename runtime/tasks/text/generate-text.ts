/** @module Text that a model generates from a text: the continuation of a prompt, or what an encoder–decoder model makes of it. */

import type { CancelSignal, Tensors } from '../../../native/index.ts';
import { invalidArgument, ServeError } from '../../errors.ts';
import {
  FINISH_REASON,
  INPUT_IDS,
  OUTPUT_IDS,
  PARAMETERS,
  parametersTensor,
} from '../../text/generation-tensors.ts';
import type { GenerationDefaults, GenerationSettings, TextModel } from '../../text/text-model.ts';
import type { TaskResult } from '../task.ts';
import {
  generationOptions,
  type RequestedGeneration,
  type RunGeneration,
} from './generation-options.ts';
import type { TextOperation, TextUsage } from './operation.ts';
import { TextDeltas, untilStop } from './text-deltas.ts';
import { checkTexts, MAX_TOKENS } from './texts.ts';

/** The outputs of a generation; see the signature of a generative version. */
export const GENERATION_OUTPUTS: readonly string[] = [OUTPUT_IDS, FINISH_REASON];

export interface GenerateTextInput {
  readonly text: string;
  readonly options: RequestedGeneration;
  /** Receives the text piece by piece; undefined if it is not streamed. */
  readonly onText?: ((delta: string) => void) | undefined;
}

export interface GeneratedText {
  readonly text: string;
  /** `length`: the text ends because there were as many tokens as the request allows. */
  readonly finishReason: 'stop' | 'length';
  /** How many tokens were generated, also those that are not part of the text. */
  readonly tokens: number;
}

export interface GenerateTextOutput extends GeneratedText {
  readonly usage: TextUsage;
}

/** What the answer needs to know of the request. */
export interface GenerateTextContext {
  readonly deltas: TextDeltas | undefined;
  readonly stops: readonly string[];
  readonly promptTokens: number;
}

/** The defaults of a model that generates text. */
export function defaultsOf({ generation }: TextModel): GenerationDefaults {
  if (generation !== undefined) return generation;
  throw new ServeError('WRONG_TASK', 'The model does not generate text.');
}

/** The inputs of the run that continues a sequence of tokens. */
export function generationRun(
  ids: Int32Array,
  options: RunGeneration,
  { text }: GenerationDefaults,
): Tensors {
  return {
    [INPUT_IDS]: { type: 'int64', dims: [1, ids.length], data: BigInt64Array.from(ids, BigInt) },
    [PARAMETERS]: parametersTensor(options, text.options),
  };
}

/** The text of one run. */
export async function generatedText(
  { tokenizer }: TextModel,
  { outputs }: TaskResult,
  stops: readonly string[],
): Promise<GeneratedText> {
  const ids = outputs[OUTPUT_IDS]!.data as BigInt64Array;
  const { length: tokens } = ids;
  const all = await tokenizer.decode(Int32Array.from(ids, Number));
  const { text, stopped } = untilStop(all, stops);
  const reason = outputs[FINISH_REASON]!.data[0];
  const finishReason = stopped || reason === 'stop' ? 'stop' : 'length';
  return { text, finishReason, tokens };
}

/** `prepare` refuses a text that does not fit into the model's window, because it would be cut where it matters most. */
export const generateText: TextOperation<
  GenerateTextInput,
  GenerateTextContext,
  GenerateTextOutput
> = {
  tasks: ['text-generation', 'text2text-generation'],
  async prepare(model, { text, options, onText }, signal) {
    const defaults = defaultsOf(model);
    const ids = await promptIds(model, defaults.text, text, signal);
    const streamed = onText !== undefined;
    const run = generationOptions(defaults, defaults.text, options, ids.length, streamed);
    const stops = options.stop ?? [];
    const deltas =
      streamed || stops.length > 0 ? new TextDeltas(model.tokenizer, stops, onText) : undefined;
    return {
      runs: [generationRun(ids, run, defaults)],
      outputs: GENERATION_OUTPUTS,
      onTokens: run.numBeams === 1 ? deltas?.onTokens : undefined,
      context: { deltas, stops, promptTokens: ids.length },
    };
  },
  async answer(model, results, { deltas, stops, promptTokens }) {
    const made = await generatedText(model, results[0]!, stops);
    await deltas?.finish(made.text);
    return { ...made, usage: { tokens: promptTokens, truncated: 0 } };
  },
};

async function promptIds(
  { tokenizer, window }: TextModel,
  { prefix }: GenerationSettings,
  text: string,
  signal: CancelSignal | undefined,
): Promise<Int32Array> {
  checkTexts({ texts: [text], placeOf: () => 'The text' });
  const [encoded] = await tokenizer.encode([prefix + text], { maxTokens: MAX_TOKENS }, signal);
  const { ids } = encoded!.windows[0]!;
  if (ids.length > window) {
    throw invalidArgument(
      `The text has ${ids.length} tokens, but the model reads at most ${window}; send a shorter one.`,
    );
  }
  if (ids.length > 0) return ids;
  throw invalidArgument('The text has no tokens; the model needs at least one to continue from.');
}
