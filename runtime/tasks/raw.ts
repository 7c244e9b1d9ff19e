/** @module No task named: each row's elements as they are. */

import type { TensorSpec } from '../../native/index.ts';
import { element, type Scalar, type TaskHead } from './head.ts';

/** One value a row is answered as that value, several as a list in the order of the tensor. */
export function rawHead(spec: TensorSpec): TaskHead {
  return {
    task: 'raw',
    output: spec.name,
    outputs: [spec.name],
    read(tensor, into) {
      const rows = tensor.dims[0] ?? 1;
      const size = tensor.data.length / rows;
      for (let row = 0; row < rows; row += 1) {
        const values: Scalar[] = [];
        for (let i = 0; i < size; i += 1) values.push(element(tensor, row * size + i));
        into.push({ prediction: size === 1 ? values[0]! : values });
      }
    },
  };
}
