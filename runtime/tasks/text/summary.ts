/** @module What summaries have in common, whether they are chosen or written. */

import type { RequestedGeneration } from './generation-options.ts';
import type { TextInput, TextUsage } from './operation.ts';

export interface SummaryInput extends TextInput {
  /** How many sentences to choose, or which share of them, above 0 and at most 1. Default: three. */
  readonly sentences?: number | undefined;
  readonly ratio?: number | undefined;
  /** How summaries are written. */
  readonly options: RequestedGeneration;
  /** Whether what does not fit into one window of the model is left out. */
  readonly truncate: boolean;
  /** Receives the summary piece by piece, if there is one text; undefined if it is not streamed. */
  readonly onText?: ((delta: string) => void) | undefined;
}

/** A sentence of a text, as UTF-16 offsets. */
export interface ChosenSentence {
  /** Its place among the sentences of the text. */
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** How close it is to what the text is about: a cosine. */
  readonly score: number;
}

export interface Summary {
  readonly summary: string;
  readonly method: 'extractive' | 'abstractive';
  readonly finish_reason: 'stop' | 'length';
  /** The sentences of an extractive summary. */
  readonly sentences?: readonly ChosenSentence[];
}

export interface SummaryOutput {
  readonly results: readonly Summary[];
  readonly usage: TextUsage;
}
