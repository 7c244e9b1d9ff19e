/** @module The scores of a classifier: which class is the most probable, and how probable. */

import type { ElementType, TensorSpec } from '../../../native/index.ts';
import { type JsonElement, jsonFloat, type NonFinite } from '../../non-finite.ts';

export type Scores = Float32Array | Float64Array;

/** The function that converts scores to probabilities. */
export type Activation = 'none' | 'softmax';

const SCORE_TYPES: readonly ElementType[] = ['float32', 'float64'];

export const holdsScores = ({ type }: TensorSpec): boolean => SCORE_TYPES.includes(type);

/** Whether one score ranks above another. NaN, which nothing can be compared with, ranks below every number. */
export function ranksAbove(score: number | bigint, other: number | bigint): boolean {
  return score > other || (Number.isNaN(other) && !Number.isNaN(score));
}

/** Index of the first of the highest scores. */
export function highest(scores: Scores, start: number, end: number): number {
  let best = start;
  for (let i = start + 1; i < end; i += 1) if (ranksAbove(scores[i]!, scores[best]!)) best = i;
  return best;
}

/** The probability of the class at `at`, to six decimals: all that float32 holds near 1, and short in JSON. */
export function confidenceAt(
  scores: Scores,
  at: number,
  start: number,
  end: number,
  activation: Activation,
  nonFinite: NonFinite,
): JsonElement {
  const probability = activation === 'softmax' ? softmaxAt(scores, at, start, end) : scores[at]!;
  return jsonFloat(Math.round(probability * 1e6) / 1e6, nonFinite);
}

/** 1 / Σ exp(score − the one at `at`). For the highest score no term overflows; for others 1 / Infinity is 0. */
function softmaxAt(scores: Scores, at: number, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += Math.exp(scores[i]! - scores[at]!);
  return 1 / sum;
}
