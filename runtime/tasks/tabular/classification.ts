/** @module Classification: the label of the highest score, and that score as the confidence. */

import type { TensorSpec } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import { type Prediction, type Predictor, rowSize } from './predictor.ts';

/**
 * The confidence has six decimals, which is all that float32 holds near 1, and short in JSON.
 *
 * @param spec Output with one score for each class: probabilities, or logits with `activation` "softmax".
 * @param labels Names of the classes in the order of the scores. Without them the prediction is the index.
 * @throws {ServeError} `INVALID_CONFIG` when the output or the labels do not fit.
 */
export function classificationPredictor(
  spec: TensorSpec,
  labels: readonly string[] | undefined,
  activation: 'none' | 'softmax',
): Predictor {
  const classes = rowSize(spec);
  if (spec.type !== 'float32' && spec.type !== 'float64') {
    throw new ServeError(
      'INVALID_CONFIG',
      `Task "classification" needs float scores, output "${spec.name}" holds ${spec.type}; name the output with the scores in "output".`,
    );
  }
  if (labels !== undefined && classes !== -1 && labels.length !== classes) {
    throw new ServeError(
      'INVALID_CONFIG',
      `"labels" names ${labels.length} classes, output "${spec.name}" scores ${classes}; name one label a class.`,
    );
  }
  const softmax = activation === 'softmax';
  return {
    outputs: [spec.name],
    read(outputs) {
      const tensor = outputs[spec.name]!;
      const scores = tensor.data as Float32Array | Float64Array;
      const size = scores.length / (tensor.dims[0] ?? 1);
      const predictions: Prediction[] = [];
      for (let start = 0; start < scores.length; start += size) {
        const best = highest(scores, start, start + size);
        const probability = softmax ? softmaxAt(scores, best, start, start + size) : scores[best]!;
        const prediction = labels?.[best - start] ?? best - start;
        predictions.push({ prediction, confidence: Math.round(probability * 1e6) / 1e6 });
      }
      return predictions;
    },
  };
}

function highest(scores: Float32Array | Float64Array, start: number, end: number): number {
  let best = start;
  for (let i = start + 1; i < end; i += 1) if (scores[i]! > scores[best]!) best = i;
  return best;
}

/** The softmax of the highest score: 1 / Σ exp(score − highest), which cannot overflow. */
function softmaxAt(
  scores: Float32Array | Float64Array,
  best: number,
  start: number,
  end: number,
): number {
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += Math.exp(scores[i]! - scores[best]!);
  return 1 / sum;
}
