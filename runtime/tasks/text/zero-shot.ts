/**
 * Labels that the client chooses, by a model of natural language inference; as transformers' ZeroShotClassificationPipeline. A text
 * that does not fit beside a label is cut, because what a label follows from in a part of the text says little about the whole.
 *
 * @module
 */

import { invalidArgument, ServeError } from '../../errors.ts';
import { ShortTurns } from '../../short-turns.ts';
import type { TextModel } from '../../text/text-model.ts';
import type { EncodedText } from '../../text/tokenizer/index.ts';
import { fallingOrder, softmax } from '../scores.ts';
import { encodeTexts, rowsOf } from './encode-texts.ts';
import type { TextInput, TextOperation, TextUsage, WindowOptions } from './operation.ts';
import { RowOutputs, type Rows } from './rows.ts';
import { checkTexts, MAX_BYTES, TURN_MS } from './texts.ts';
import { usageOf } from './usage.ts';

/** Most texts with a label, each of which is a row of a run. */
const MAX_PAIRS = 10_000;
const DEFAULT_TEMPLATE = 'This example is {}.';
/** What is replaced by the label. */
const PLACE = '{}';

export interface ZeroShotInput extends TextInput, WindowOptions {
  /** At least one. */
  readonly labels: readonly string[];
  /** The sentence that a label makes, with `{}` in place of the label. Default: `This example is {}.` */
  readonly hypothesisTemplate?: string | undefined;
  /** Whether several labels may hold, so that their scores do not add up to 1. Default: false. */
  readonly multiLabel?: boolean | undefined;
}

export interface ZeroShotLabels {
  /** In falling order of their scores. */
  readonly labels: readonly { readonly label: string; readonly score: number }[];
}

export interface ZeroShotOutput {
  readonly results: readonly ZeroShotLabels[];
  readonly usage: TextUsage;
}

interface Context {
  readonly labels: readonly string[];
  readonly multiLabel: boolean;
  readonly rows: Rows;
  readonly texts: number;
  readonly usage: TextUsage;
}

export const zeroShot: TextOperation<ZeroShotInput, Context, ZeroShotOutput> = {
  tasks: ['zero-shot-classification'],
  async prepare(model, input, signal) {
    const { texts, labels, multiLabel = false } = input;
    entailmentOf(model);
    const hypotheses = hypothesesOf(input);
    const pairs = texts.flatMap((text) => hypotheses.map((label) => [text, label] as const));
    const options = { pairs: 'only_first' } as const;
    const encoded = await encodeTexts(model, pairs, { truncate: true }, options, signal);
    const { rows } = await rowsOf(model, encoded);
    const usage = usageOfPairs(encoded, labels.length);
    const context = { labels, multiLabel, rows, texts: texts.length, usage };
    return { runs: rows.runs, outputs: [model.output], context };
  },
  async answer(model, results, { labels, multiLabel, rows, texts, usage }) {
    const outputs = new RowOutputs(model, rows, results);
    const entailment = entailmentOf(model);
    const turns = new ShortTurns(TURN_MS);
    const answers: ZeroShotLabels[] = [];
    for (let text = 0; text < texts; text += 1) {
      const first = text * labels.length;
      const logits = labels.map((_, i) => outputs.of(first + i).data);
      const isMulti = multiLabel || labels.length === 1;
      const scores = isMulti
        ? Float64Array.from(logits, (each) => entailedScore(each, entailment))
        : softmax(
            logits.map((each) => each[entailment]!),
            0,
            labels.length,
          );
      const order = fallingOrder(scores);
      answers.push({ labels: order.map((i) => ({ label: labels[i]!, score: scores[i]! })) });
      await turns.pause();
    }
    return { results: answers, usage };
  },
};

/** The probability of entailment beside contradiction, which is the first label, or the last if entailment is the first. */
function entailedScore(logits: Float32Array, entailment: number): number {
  const contradiction = entailment === 0 ? logits.length - 1 : 0;
  return softmax([logits[contradiction]!, logits[entailment]!], 0, 2)[1]!;
}

/** @throws {ServeError} `WRONG_TASK` */
function entailmentOf({ labels }: TextModel): number {
  const found = labels.findIndex((label) => label.toLowerCase().startsWith('entail'));
  if (found !== -1) return found;
  throw new ServeError(
    'WRONG_TASK',
    'The model has no label "entailment", which tells what follows from a text.',
  );
}

/** The sentences that the labels make. @throws {ServeError} */
function hypothesesOf(input: ZeroShotInput): string[] {
  const { texts, labels, hypothesisTemplate: template = DEFAULT_TEMPLATE } = input;
  const parts = template.split(PLACE);
  if (parts.length === 1) {
    throw invalidArgument(
      'hypothesis_template has no {}, which is replaced by the label; write one such as "This example is {}.".',
    );
  }
  checkTexts(
    input,
    { texts: labels, placeOf: (index) => `labels[${index}]` },
    { texts: [template], placeOf: () => 'hypothesis_template' },
  );
  const pairs = texts.length * labels.length;
  if (pairs > MAX_PAIRS) {
    throw new ServeError(
      'PAYLOAD_TOO_LARGE',
      `${texts.length} texts and ${labels.length} labels are ${pairs} pairs, and at most ${MAX_PAIRS} are allowed; send them in several requests.`,
    );
  }
  const length = (label: string) => template.length + (parts.length - 1) * label.length;
  if (labels.reduce((sum, label) => sum + length(label), 0) > MAX_BYTES) {
    throw new ServeError(
      'PAYLOAD_TOO_LARGE',
      'The labels in hypothesis_template have more than 1 MiB in UTF-8; send fewer or shorter ones.',
    );
  }
  return labels.map((label) => parts.join(label));
}

/** A text counts as truncated once, although it is cut beside each label. */
function usageOfPairs(encoded: readonly EncodedText[], labels: number): TextUsage {
  const { tokens } = usageOf(encoded);
  const cut = new Set<number>();
  encoded.forEach(({ truncated }, i) => {
    if (truncated) cut.add(Math.floor(i / labels));
  });
  return { tokens, truncated: cut.size };
}
