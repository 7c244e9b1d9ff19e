/** @module Regression: the number that the model gives, without a confidence. */

import type { TensorSpec } from '../../../native/index.ts';
import { jsonElement } from '../../elements.ts';
import { ServeError } from '../../errors.ts';
import { type Prediction, type Predictor, rowSize } from './predictor.ts';

/** @throws {ServeError} `INVALID_CONFIG` when a row has more than one number. */
export function regressionPredictor(spec: TensorSpec): Predictor {
  const size = rowSize(spec);
  if (size !== 1 && size !== -1) {
    throw new ServeError(
      'INVALID_CONFIG',
      `Task "regression" needs one number a row, output "${spec.name}" has ${size}; leave "task" out to get them all.`,
    );
  }
  return {
    outputs: [spec.name],
    read(outputs) {
      const tensor = outputs[spec.name]!;
      return Array.from(
        { length: tensor.data.length },
        (_, i): Prediction => ({ prediction: jsonElement(tensor, i) }),
      );
    },
  };
}
