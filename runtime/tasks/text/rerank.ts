/** @module Documents in the order of their relevance for a query, by a model that reads both; as CrossEncoder of sentence-transformers. */

import { invalidArgument } from '../../errors.ts';
import { ShortTurns } from '../../short-turns.ts';
import type { TextModel } from '../../text/text-model.ts';
import { activate, activationOf, fallingOrder } from '../scores.ts';
import { type EncodedRows, encodeTexts, rowsOf, windowsOf } from './encode-texts.ts';
import type { TextInput, TextOperation, TextUsage, WindowOptions } from './operation.ts';
import { RowOutputs } from './rows.ts';
import { checkTexts, TURN_MS } from './texts.ts';
import { usageOf } from './usage.ts';

/** The texts are the documents. */
export interface RerankInput extends TextInput, WindowOptions {
  readonly query: string;
  /** How many results there are, the best first. Default: all. */
  readonly topN?: number | undefined;
  /** Whether scores are those of the model, without a sigmoid. Default: false. */
  readonly rawScores?: boolean | undefined;
}

export interface RerankResult {
  /** The place of the document in the request. */
  readonly index: number;
  readonly score: number;
}

export interface RerankOutput {
  /** The best document first. */
  readonly results: readonly RerankResult[];
  readonly method: 'cross-encoder' | 'embeddings';
  readonly usage: TextUsage;
}

interface Context extends EncodedRows {
  readonly topN: number | undefined;
  readonly rawScores: boolean;
}

/** Of a document in several windows, the best one counts. */
export const rerank: TextOperation<RerankInput, Context, RerankOutput> = {
  tasks: ['rerank'],
  async prepare(model, input, signal) {
    checkHead(model);
    checkQuery(input);
    const { query, texts, topN, truncate, rawScores = false } = input;
    const pairs = texts.map((text) => [query, text] as const);
    const options = { pairs: truncate ? 'longest_first' : 'only_second' } as const;
    const encoded = await encodeTexts(model, pairs, input, options, signal);
    const rows = await rowsOf(model, encoded);
    const context = { ...rows, topN, rawScores };
    return { runs: rows.rows.runs, outputs: [model.output], context };
  },
  async answer(model, results, { encoded, rows, topN, rawScores }) {
    const outputs = new RowOutputs(model, rows, results);
    const activation = rawScores ? 'none' : activationOf(model);
    const turns = new ShortTurns(TURN_MS);
    const scores: number[] = [];
    for (const windows of windowsOf(encoded)) {
      const each = windows.map(({ index }) => activate(outputs.of(index).data, activation)[0]!);
      scores.push(Math.max(...each));
      await turns.pause();
    }
    return { results: ranked(scores, topN), method: 'cross-encoder', usage: usageOf(encoded) };
  },
};

/** The best scores with their places. */
export const ranked = (scores: readonly number[], topN: number | undefined): RerankResult[] =>
  fallingOrder(scores)
    .slice(0, topN)
    .map((index) => ({ index, score: scores[index]! }));

/** Checks the query and the documents. @throws {ServeError} */
export function checkQuery(input: RerankInput): void {
  checkTexts({ texts: [input.query], placeOf: () => 'query' }, input);
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function checkHead({ labels }: TextModel): void {
  if (labels.length === 1) return;
  throw invalidArgument(
    `The model has ${labels.length} labels, so that its scores have no order; rerank with a model of one label.`,
  );
}
