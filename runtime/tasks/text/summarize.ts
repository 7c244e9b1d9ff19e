/**
 * Summaries that a model writes. A text that does not fit into the model's window is divided between sentences; the summaries
 * of its parts are summarized again, until one is left.
 *
 * @module
 */

import type { CancelSignal } from '../../../native/index.ts';
import type { GenerationSettings, TextModel } from '../../text/text-model.ts';
import type { TaskResult } from '../task.ts';
import {
  defaultsOf,
  GENERATION_OUTPUTS,
  type GeneratedText,
  generatedText,
  generationRun,
} from './generate-text.ts';
import { generationOptions } from './generation-options.ts';
import type { PreparedText, TextOperation, TextUsage } from './operation.ts';
import { splitSentences } from './sentences.ts';
import type { Summary, SummaryInput, SummaryOutput } from './summary.ts';
import { TextDeltas } from './text-deltas.ts';
import { checkTexts, MAX_TOKENS } from './texts.ts';

/** Summaries of parts have at most this share of a window, so that several of them fit into one. */
const PART_OF_WINDOW = 4;
/**
 * Rounds after which the rest of a text is left out. A round makes a text about four times shorter, but a model may write
 * text that has more tokens when it is read than when it was written.
 */
const MAX_ROUNDS = 8;
/** The summary of a text without tokens. */
const NOTHING: GeneratedText = { text: '', finishReason: 'stop', tokens: 0 };

/** A text on its way to its summary. */
interface Progress {
  /** The summary, once there is one. */
  readonly summary: GeneratedText | undefined;
  /** Runs of this round. */
  readonly runs: number;
}

/** What the answer, or the next round, needs to know. */
export interface SummarizeContext {
  readonly input: SummaryInput;
  /** Rounds so far. */
  readonly rounds: number;
  readonly texts: readonly Progress[];
  readonly usage: TextUsage;
  readonly deltas: TextDeltas | undefined;
}

type Round = PreparedText<SummarizeContext>;

export const summarize: TextOperation<SummaryInput, SummarizeContext, SummaryOutput> = {
  tasks: ['text2text-generation'],
  async prepare(model, input, signal) {
    checkTexts(input);
    const texts = input.texts.map((text) => ({ text, summary: undefined }));
    return round(model, input, { texts, rounds: 0, usage: { tokens: 0, truncated: 0 } }, signal);
  },
  async next(model, results, context) {
    const { input, usage, rounds } = context;
    if (context.texts.every(({ runs }) => runs <= 1)) return undefined;
    const done = await summariesOf(model, results, context);
    const texts = context.texts.map(({ runs }, i) => {
      const parts = done[i]!;
      return runs > 1
        ? { text: parts.map(({ text }) => text.trim()).join('\n'), summary: undefined }
        : { text: '', summary: parts[0] };
    });
    return round(model, input, { texts, rounds, usage });
  },
  async answer(model, ran, context) {
    const done = await summariesOf(model, ran, context);
    const results = done.map(([made]): Summary => {
      const { text, finishReason } = made!;
      return { summary: text, method: 'abstractive', finish_reason: finishReason };
    });
    await context.deltas?.finish(results[0]!.summary);
    return { results, usage: context.usage };
  },
};

/** The summaries of the parts of each text, as far as they are known after a round. */
async function summariesOf(
  model: TextModel,
  results: readonly TaskResult[],
  { input, texts }: SummarizeContext,
): Promise<readonly (readonly GeneratedText[])[]> {
  const stops = input.options.stop ?? [];
  const made = await Promise.all(results.map((result) => generatedText(model, result, stops)));
  let next = 0;
  return texts.map(({ summary, runs }) => {
    const own = made.slice(next, next + runs);
    next += runs;
    return summary === undefined ? own : [summary];
  });
}

/** What a round starts from. */
interface Start extends Pick<SummarizeContext, 'rounds' | 'usage'> {
  readonly texts: readonly { readonly text: string; readonly summary: GeneratedText | undefined }[];
}

/** The runs for the texts that have no summary yet: one for each part of a text. */
async function round(
  model: TextModel,
  input: SummaryInput,
  { texts, rounds, usage: before }: Start,
  signal?: CancelSignal,
): Promise<Round> {
  const { options, onText } = input;
  const { summary: settings } = defaultsOf(model);
  const open = texts.filter(({ summary }) => summary === undefined).map(({ text }) => text);
  const truncate = input.truncate || rounds === MAX_ROUNDS;
  const parts = await divide(model, settings, open, truncate, signal);
  const runs = parts.flatMap(({ windows }) => windows.map(runOf(model, input, windows.length)));
  const stops = options.stop ?? [];
  const listens = runs.length === 1 && (onText !== undefined || stops.length > 0);
  const deltas = listens ? new TextDeltas(model.tokenizer, stops, onText) : undefined;
  const left = parts[Symbol.iterator]();
  return {
    runs,
    outputs: GENERATION_OUTPUTS,
    onTokens: deltas?.onTokens,
    context: {
      ...{ input, deltas },
      rounds: rounds + 1,
      usage: addUsage(before, parts),
      texts: texts.map(({ summary }): Progress => {
        if (summary !== undefined) return { summary, runs: 0 };
        const count = left.next().value!.windows.length;
        return { summary: count === 0 ? NOTHING : undefined, runs: count };
      }),
    },
  };
}

/** Returns a function that makes the run of a part of a text, which has so many parts. */
function runOf(model: TextModel, { options, onText }: SummaryInput, parts: number) {
  const defaults = defaultsOf(model);
  return (ids: Int32Array) => {
    const streamed = onText !== undefined;
    const run = generationOptions(defaults, defaults.summary, options, ids.length, streamed);
    if (parts === 1) return generationRun(ids, run, defaults);
    const most = Math.max(Math.floor(model.window / PART_OF_WINDOW), 1);
    const maxNewTokens = Math.min(run.maxNewTokens!, most);
    const minNewTokens = Math.min(run.minNewTokens!, maxNewTokens);
    return generationRun(ids, { ...run, maxNewTokens, minNewTokens }, defaults);
  };
}

const addUsage = ({ tokens, truncated }: TextUsage, parts: readonly Divided[]): TextUsage => ({
  tokens: parts.reduce(
    (sum, { windows }) => windows.reduce((count, ids) => count + ids.length, sum),
    tokens,
  ),
  truncated: truncated + parts.filter((part) => part.truncated).length,
});

/** A text as sequences of tokens that fit into the model's window; none if it has no tokens. */
interface Divided {
  readonly windows: readonly Int32Array[];
  readonly truncated: boolean;
}

async function divide(
  { tokenizer, window }: TextModel,
  { prefix }: GenerationSettings,
  texts: readonly string[],
  truncate: boolean,
  signal: CancelSignal | undefined,
): Promise<readonly Divided[]> {
  const overflow = truncate ? 'cut' : 'windows';
  const options = { window, overflow, stride: 0 } as const;
  const whole = await tokenizer.encode(
    texts.map((text) => prefix + text),
    { ...options, maxTokens: MAX_TOKENS },
    signal,
  );
  return Promise.all(
    whole.map(async ({ windows, truncated }, i) => {
      const first = windows[0]!.ids;
      if (windows.length === 1) return { windows: first.length === 0 ? [] : [first], truncated };
      const parts = await partsOf(tokenizer, window, prefix, texts[i]!, signal);
      const encoded = await tokenizer.encode(parts, options, signal);
      return { windows: encoded.flatMap((part) => part.windows.map(({ ids }) => ids)), truncated };
    }),
  );
}

/** Divides a text between sentences into parts that fit into a window together with the prefix. */
async function partsOf(
  tokenizer: TextModel['tokenizer'],
  window: number,
  prefix: string,
  text: string,
  signal: CancelSignal | undefined,
): Promise<readonly string[]> {
  const sentences = await splitSentences(text);
  const said = sentences.map(({ start, end }) => text.slice(start, end));
  const counts = await tokenizer.encode([prefix, ...said], { addSpecialTokens: false }, signal);
  const [ofPrefix, ...lengths] = counts.map(({ length }) => length);
  const room = window - tokenizer.facts.added.single - ofPrefix!;
  const parts: string[] = [];
  let start = 0;
  let end = 0;
  let length = 0;
  sentences.forEach((sentence, i) => {
    // One token more for each sentence, because a space before it may be one.
    const more = lengths[i]! + 1;
    if (length > 0 && length + more > room) {
      parts.push(prefix + text.slice(start, end));
      length = 0;
    }
    if (length === 0) start = sentence.start;
    end = sentence.end;
    length += more;
  });
  parts.push(prefix + text.slice(start, end));
  return parts;
}
