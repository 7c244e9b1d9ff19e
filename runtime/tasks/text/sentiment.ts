/** @module The labels of texts, such as their sentiment; as transformers' TextClassificationPipeline. */

import { ShortTurns } from '../../short-turns.ts';
import { type Activation, activate, activationOf, fallingOrder } from '../scores.ts';
import {
  type EncodedRows,
  encodeTexts,
  rowsOf,
  type TextWindow,
  windowsOf,
} from './encode-texts.ts';
import type { TextInput, TextOperation, TextUsage, WindowOptions } from './operation.ts';
import { RowOutputs } from './rows.ts';
import { checkTexts, TURN_MS } from './texts.ts';
import { usageOf } from './usage.ts';

export interface SentimentInput extends TextInput, WindowOptions {
  /** How many labels `scores` has, the best first; 0 (default) means all. */
  readonly topK?: number | undefined;
}

export interface Sentiment {
  /** The label with the highest score. */
  readonly label: string;
  readonly score: number;
  /** By label, in falling order, which an object would not keep of labels that are numbers. */
  readonly scores: ReadonlyMap<string, number>;
}

export interface SentimentOutput {
  readonly results: readonly Sentiment[];
  readonly usage: TextUsage;
}

interface Context extends EncodedRows {
  readonly topK: number;
}

export const sentiment: TextOperation<SentimentInput, Context, SentimentOutput> = {
  tasks: ['text-classification'],
  async prepare(model, input, signal) {
    checkTexts(input);
    const encoded = await encodeTexts(model, input.texts, input, {}, signal);
    const rows = await rowsOf(model, encoded);
    const topK = input.topK || model.labels.length;
    return { runs: rows.rows.runs, outputs: [model.output], context: { ...rows, topK } };
  },
  async answer(model, results, { encoded, rows, topK }) {
    const outputs = new RowOutputs(model, rows, results);
    const activation = activationOf(model);
    const turns = new ShortTurns(TURN_MS);
    const sentiments: Sentiment[] = [];
    for (const windows of windowsOf(encoded)) {
      sentiments.push(describe(model.labels, meanScores(outputs, windows, activation), topK));
      await turns.pause();
    }
    return { results: sentiments, usage: usageOf(encoded) };
  },
};

/** The mean of the probabilities of all windows, each weighted by its own tokens. */
function meanScores(
  outputs: RowOutputs,
  windows: readonly TextWindow[],
  activation: Activation,
): Float64Array {
  const [first] = windows;
  if (windows.length === 1) return activate(outputs.of(first!.index).data, activation);
  const mean = new Float64Array(outputs.of(first!.index).data.length);
  const total = windows.reduce((sum, { window }) => sum + window.own, 0);
  for (const { window, index } of windows) {
    const scores = activate(outputs.of(index).data, activation);
    for (let i = 0; i < mean.length; i += 1) mean[i]! += (scores[i]! * window.own) / total;
  }
  return mean;
}

function describe(labels: readonly string[], scores: Float64Array, topK: number): Sentiment {
  const order = fallingOrder(scores);
  const ranked = order.map((i) => [labels[i]!, scores[i]!] as const);
  const [label, score] = ranked[0]!;
  return { label, score, scores: new Map(ranked.slice(0, topK)) };
}
