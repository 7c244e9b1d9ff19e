/** @module Scores of labels as probabilities. */

import type { ProblemType } from '../text/text-model.ts';

/** What makes the probabilities of labels of their scores. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

/** What is known about the labels of scores. */
export interface ScoredLabels {
  readonly problemType: ProblemType | undefined;
  readonly labels: readonly string[];
}

/** As the pipelines of transformers choose it. */
export function activationOf({ problemType, labels }: ScoredLabels): Activation {
  if (problemType === 'regression') return 'none';
  // Of one label, a softmax would always be 1.
  return problemType === 'multi_label_classification' || labels.length === 1
    ? 'sigmoid'
    : 'softmax';
}

export function activate(scores: ArrayLike<number>, activation: Activation): Float64Array {
  if (activation === 'softmax') return softmax(scores, 0, scores.length);
  const values = Float64Array.from(scores);
  return activation === 'sigmoid' ? values.map(sigmoid) : values;
}

export function sigmoid(score: number): number {
  return 1 / (1 + Math.exp(-score));
}

/** The probabilities of some of the scores: those from `start` to before `end`. */
export function softmax(scores: ArrayLike<number>, start: number, end: number): Float64Array {
  const probabilities = new Float64Array(end - start);
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += 1) highest = Math.max(highest, scores[i]!);
  let sum = 0;
  for (let i = start; i < end; i += 1) {
    const value = Math.exp(scores[i]! - highest);
    probabilities[i - start] = value;
    sum += value;
  }
  for (let i = 0; i < probabilities.length; i += 1) probabilities[i]! /= sum;
  return probabilities;
}

/** A label with its probability. */
export interface Likeliest {
  readonly label: number;
  readonly score: number;
}

/** The highest of what `softmax` returns, in less time and memory. */
export function likeliest(scores: ArrayLike<number>, start: number, end: number): Likeliest {
  let best = start;
  for (let i = start + 1; i < end; i += 1) if (scores[i]! > scores[best]!) best = i;
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += Math.exp(scores[i]! - scores[best]!);
  return { label: best - start, score: 1 / sum };
}

/** The index of the first of the highest values. */
export function highestOf(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Indices of values in falling order; those of equal values in their own order. */
export const fallingOrder = (values: ArrayLike<number>): number[] =>
  Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => values[b]! - values[a]! || a - b,
  );

/** More than these are found sooner by sorting all. */
const MOST_INSERTED = 16;

/** The first `count` of `fallingOrder`, in less time if they are few. No value may be NaN. */
export function highestFirst(values: ArrayLike<number>, count: number): number[] {
  if (count > MOST_INSERTED) return fallingOrder(values).slice(0, count);
  const best: number[] = [];
  for (let i = 0; i < values.length; i += 1) {
    let place = best.length;
    while (place > 0 && values[best[place - 1]!]! < values[i]!) place -= 1;
    if (place === count) continue;
    best.splice(place, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
