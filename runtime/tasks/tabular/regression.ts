/** @module Regression: the number that the model returns, without a confidence. */

import type { TensorSpec } from '../../../native/index.ts';
import { jsonElement } from '../../elements.ts';
import { ServeError } from '../../errors.ts';
import { type Prediction, type Predictor, rowSize } from './predictor.ts';

/** @throws {ServeError} `INVALID_CONFIG` if a row has more than one number. */
export function regressionPredictor(spec: TensorSpec): Predictor {
  const size = rowSize(spec);
  const severalNumbers = (count: number, code: 'INVALID_CONFIG' | 'INVALID_ARGUMENT') =>
    new ServeError(
      code,
      `Task "regression" needs one number a row, output '${spec.name}' has ${count}; leave "task" out to get them all.`,
    );
  if (size !== 1 && size !== -1) throw severalNumbers(size, 'INVALID_CONFIG');
  return {
    outputs: [spec.name],
    read(outputs, rows, nonFinite) {
      const tensor = outputs[spec.name]!;
      const count = tensor.data.length / rows;
      if (count !== 1) throw severalNumbers(count, 'INVALID_ARGUMENT');
      return Array.from(
        { length: rows },
        (_, row): Prediction => ({ prediction: jsonElement(tensor, row, nonFinite) }),
      );
    },
  };
}
