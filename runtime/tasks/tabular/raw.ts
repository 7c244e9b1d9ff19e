/** @module A model without a task: the prediction of a row is its elements, unchanged. */

import type { TensorSpec } from '../../../native/index.ts';
import { jsonElement } from '../../elements.ts';
import type { Prediction, Predictor } from './predictor.ts';

/** A row of one element is predicted as that element, a longer one as a list in the order of the tensor. */
export function rawPredictor(spec: TensorSpec): Predictor {
  return {
    outputs: [spec.name],
    read(outputs, rows, nonFinite) {
      const tensor = outputs[spec.name]!;
      const size = tensor.data.length / rows;
      const element = (index: number) => jsonElement(tensor, index, nonFinite);
      return Array.from({ length: rows }, (_, row): Prediction => {
        const values = Array.from({ length: size }, (_, i) => element(row * size + i));
        return { prediction: size === 1 ? values[0]! : values };
      });
    },
  };
}
