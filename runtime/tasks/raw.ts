/** @module No task named: each row's elements as they are. */

import type { TensorSpec } from '../../native/index.ts';
import { element, type Prediction, type TaskHead } from './head.ts';

/** One value a row is answered as that value, several as a list in the order of the tensor. */
export function rawHead(spec: TensorSpec): TaskHead {
  return {
    task: 'raw',
    output: spec.name,
    outputs: [spec.name],
    read(tensor) {
      const rows = tensor.dims[0] ?? 1;
      const size = tensor.data.length / rows;
      return Array.from({ length: rows }, (_, row): Prediction => {
        const values = Array.from({ length: size }, (_, i) => element(tensor, row * size + i));
        return { prediction: size === 1 ? values[0]! : values };
      });
    },
  };
}
