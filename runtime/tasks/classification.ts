/** @module Classification: the label of the highest score, and that score as the confidence. */

import type { Tensor, TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import { type Prediction, rowSize, type TaskHead } from './head.ts';

/**
 * @param spec Output with one score a class: probabilities, or logits with `activation` "softmax".
 * @param labels Names of the classes in the order of the scores. Without them the answer is the index.
 * @throws {ServeError} `INVALID_CONFIG` when the labels do not match the scores.
 */
export function classificationHead(
  spec: TensorSpec,
  labels: readonly string[] | undefined,
  activation: 'none' | 'softmax',
): TaskHead {
  const classes = rowSize(spec);
  if (labels !== undefined && classes !== -1 && labels.length !== classes) {
    throw new ServeError(
      'INVALID_CONFIG',
      `"labels" names ${labels.length} classes, output "${spec.name}" scores ${classes}; name one label a class.`,
    );
  }
  const confidence = activation === 'softmax' ? softmaxAt : scoreAt;
  return {
    task: 'classification',
    output: spec.name,
    outputs: [spec.name],
    read(tensor) {
      const { data } = tensor;
      const size = data.length / (tensor.dims[0] ?? 1);
      const answers: Prediction[] = [];
      for (let start = 0; start < data.length; start += size) {
        const best = argmax(tensor, start, start + size);
        answers.push({
          prediction: labels === undefined ? best - start : labels[best - start]!,
          confidence: round(confidence(tensor, best, start, start + size)),
        });
      }
      return answers;
    },
  };
}

function argmax(tensor: Tensor, start: number, end: number): number {
  const scores = tensor.data;
  let best = start;
  for (let i = start + 1; i < end; i += 1) if (scores[i]! > scores[best]!) best = i;
  return best;
}

function scoreAt(tensor: Tensor, best: number): number {
  return Number(tensor.data[best]);
}

/** The softmax of the highest score: 1 / Σ exp(score − highest), which cannot overflow. */
function softmaxAt(tensor: Tensor, best: number, start: number, end: number): number {
  const highest = Number(tensor.data[best]);
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += Math.exp(Number(tensor.data[i]) - highest);
  return 1 / sum;
}

/** Six decimals: all that float32 holds near 1, and short in JSON. */
function round(probability: number): number {
  return Math.round(probability * 1e6) / 1e6;
}
