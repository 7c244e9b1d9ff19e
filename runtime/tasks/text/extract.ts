/** @module Summaries of sentences that are chosen from a text by their embeddings. */

import { ServeError } from '../../errors.ts';
import { centralSentences } from './central-sentences.ts';
import { embed } from './embed.ts';
import type { EmbeddingContext } from './embedding.ts';
import type { PreparedText, TextOperation } from './operation.ts';
import { type Sentence, splitSentences } from './sentences.ts';
import type { ChosenSentence, Summary, SummaryInput, SummaryOutput } from './summary.ts';
import { checkTexts, MAX_TOKENS } from './texts.ts';

const DEFAULT_SENTENCES = 3;
/** Limit on the comparisons of sentences with chosen ones, which take about a microsecond each. */
const MAX_COMPARISONS = 1_000_000;

const NOTHING = { data: new Float32Array(), dimensions: 0, usage: { tokens: 0, truncated: 0 } };

export interface ExtractContext {
  readonly input: SummaryInput;
  /** The sentences of each text. */
  readonly sentences: readonly (readonly Sentence[])[];
  /** Undefined if there are no sentences. */
  readonly embedding: EmbeddingContext | undefined;
}

/** The summaries are verbatim: sentences of the text, in its order. */
export const extract: TextOperation<SummaryInput, ExtractContext, SummaryOutput> = {
  tasks: ['feature-extraction'],
  async prepare(model, input, signal): Promise<PreparedText<ExtractContext>> {
    checkTexts(input);
    // Finding the sentences of a text takes longer than its tokens.
    model.tokenizer.checkLength(input.texts, MAX_TOKENS);
    const sentences: (readonly Sentence[])[] = [];
    for (const text of input.texts) sentences.push(await splitSentences(text));
    sentences.forEach((found, i) => {
      checkWork(found.length, countOf(input, found.length), input.placeOf(i));
    });
    const said = sentences.flatMap((found, i) =>
      found.map((each) => textOf(input.texts[i]!, each)),
    );
    if (said.length === 0) {
      return { runs: [], outputs: [], context: { input, sentences, embedding: undefined } };
    }
    const { truncate } = input;
    const embedInput = { texts: said, placeOf: () => 'a sentence', truncate, normalize: true };
    const { context: embedding, ...runs } = await embed.prepare(model, embedInput, signal);
    return { ...runs, context: { input, sentences, embedding } };
  },
  async answer(model, results, { input, sentences, embedding }) {
    const { data, dimensions, usage } =
      embedding === undefined ? NOTHING : await embed.answer(model, results, embedding);
    const summaries: Summary[] = [];
    let row = 0;
    for (const [i, found] of sentences.entries()) {
      const vectors = found.map((_, at) =>
        data.subarray((row + at) * dimensions, (row + at + 1) * dimensions),
      );
      row += found.length;
      summaries.push(await chosen(input.texts[i]!, found, vectors, countOf(input, found.length)));
    }
    return { results: summaries, usage };
  },
};

const textOf = (text: string, { start, end }: Sentence): string => text.slice(start, end);

function countOf({ sentences, ratio }: SummaryInput, found: number): number {
  if (ratio === undefined) return sentences ?? DEFAULT_SENTENCES;
  return Math.max(Math.round(ratio * found), 1);
}

/** @throws {ServeError} `PAYLOAD_TOO_LARGE` */
function checkWork(found: number, count: number, place: string): void {
  if (found * Math.min(count, found) <= MAX_COMPARISONS) return;
  throw new ServeError(
    'PAYLOAD_TOO_LARGE',
    `${place} has ${found} sentences, which are too many to choose ${count} of them; ask for fewer, or send a shorter text.`,
  );
}

async function chosen(
  text: string,
  found: readonly Sentence[],
  vectors: readonly Float32Array[],
  count: number,
): Promise<Summary> {
  const central = await centralSentences(vectors, count);
  const sentences = central.map(({ index, score }): ChosenSentence => {
    const { start, end } = found[index]!;
    return { index, start, end, score };
  });
  let summary = '';
  for (const { start, end } of sentences) {
    if (summary !== '') summary += separator(text, start);
    summary += text.slice(start, end);
  }
  return { summary, method: 'extractive', finish_reason: 'stop', sentences };
}

/** What stands between sentences of this text: a line break, a space, or nothing as in Chinese. */
function separator(text: string, start: number): string {
  const gap = /\s*$/.exec(text.slice(Math.max(start - 64, 0), start))![0];
  if (gap.includes('\n')) return '\n';
  return gap === '' ? '' : ' ';
}
