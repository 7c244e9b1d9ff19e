/** @module Regression: the number the model gives, without a confidence. */

import type { TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import { element, type Prediction, rowSize, type TaskHead } from './head.ts';

/** @throws {ServeError} `INVALID_CONFIG` when a row has more than one number. */
export function regressionHead(spec: TensorSpec): TaskHead {
  const size = rowSize(spec);
  if (size !== 1 && size !== -1) {
    throw new ServeError(
      'INVALID_CONFIG',
      `Task "regression" needs one number a row, output "${spec.name}" has ${size}; leave "task" out to get them all.`,
    );
  }
  return {
    task: 'regression',
    output: spec.name,
    outputs: [spec.name],
    read(tensor) {
      const answers: Prediction[] = [];
      for (let i = 0; i < tensor.data.length; i += 1) {
        answers.push({ prediction: element(tensor, i) });
      }
      return answers;
    },
  };
}
