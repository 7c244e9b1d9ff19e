/** @module Classification: the label of the highest score, and that score as the confidence. */

import type { Signature, TensorSpec } from '../../../native/index.ts';
import { jsonElement } from '../../elements.ts';
import { ServeError } from '../../errors.ts';
import { type Prediction, type Predictor, rowSize } from './predictor.ts';
import { type Activation, confidenceAt, highest, holdsScores, type Scores } from './scores.ts';

/**
 * @param spec Output with one score for each class: probabilities, or logits with `activation` "softmax".
 * @param labels Names of the classes in the order of the scores. Default: those in the file; without any the
 * prediction is the index.
 * @throws {ServeError} `INVALID_CONFIG` if the output or the labels do not fit.
 */
export function classificationPredictor(
  spec: TensorSpec,
  labels: readonly string[] | undefined = spec.labels,
  activation: Activation,
): Predictor {
  const classes = rowSize(spec);
  if (!holdsScores(spec)) {
    throw new ServeError(
      'INVALID_CONFIG',
      `Task "classification" needs float scores, output '${spec.name}' holds ${spec.type}; name the output with the scores in "output".`,
    );
  }
  if (labels !== undefined && classes !== -1 && labels.length !== classes) {
    throw new ServeError(
      'INVALID_CONFIG',
      `"labels" names ${labels.length} classes, output '${spec.name}' scores ${classes}; write one label for each class.`,
    );
  }
  return {
    outputs: [spec.name],
    read(outputs, rows, nonFinite) {
      const scores = outputs[spec.name]!.data as Scores;
      const size = scores.length / rows;
      const predictions: Prediction[] = [];
      for (let start = 0; start < scores.length; start += size) {
        const end = start + size;
        const best = highest(scores, start, end);
        const confidence = confidenceAt(scores, best, start, end, activation, nonFinite);
        predictions.push({ prediction: labels?.[best - start] ?? best - start, confidence });
      }
      return predictions;
    },
  };
}

/** The two outputs of a classifier that names the class itself. */
export interface LabelledOutputs {
  /** One label for each row. */
  readonly label: TensorSpec;
  /** One score for each class. */
  readonly scores: TensorSpec;
}

/**
 * The outputs of a classifier as the converters of scikit-learn, LightGBM and CatBoost create them: a label,
 * and the probability of each class. Undefined for any other model.
 */
export function labelledOutputs({ outputs }: Signature): LabelledOutputs | undefined {
  const label = outputs.find(
    (spec) => (spec.type === 'int64' || spec.type === 'string') && rowSize(spec) === 1,
  );
  const scores = outputs.find(
    (spec) => holdsScores(spec) && spec.dims.length === 2 && rowSize(spec) !== 1,
  );
  return outputs.length === 2 && label !== undefined && scores !== undefined
    ? { label, scores }
    : undefined;
}

/** The label that the model returns, with its probability: the highest one if the file does not name the classes. */
export function labelPredictor(
  { label, scores }: LabelledOutputs,
  activation: Activation,
): Predictor {
  return {
    outputs: [label.name, scores.name],
    read(outputs, rows, nonFinite) {
      const labels = outputs[label.name]!;
      const values = outputs[scores.name]!.data as Scores;
      const size = values.length / rows;
      return Array.from({ length: rows }, (_, row): Prediction => {
        const [start, end] = [row * size, (row + 1) * size];
        const known = scores.labels?.indexOf(String(labels.data[row])) ?? -1;
        const at = known === -1 ? highest(values, start, end) : start + known;
        const confidence = confidenceAt(values, at, start, end, activation, nonFinite);
        return { prediction: jsonElement(labels, row, nonFinite), confidence };
      });
    },
  };
}
