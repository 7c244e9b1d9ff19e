/** @module What a task head is: the part that turns a model's outputs into answers. */

import type { Tensor, TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';

export type Scalar = number | string | boolean;

/** The answer for one row. `confidence` is there only where the model gives probabilities. */
export interface Prediction {
  readonly prediction: Scalar | readonly Scalar[];
  readonly confidence?: number;
}

/** Made once for a version when it loads; holds no state. */
export interface TaskHead {
  readonly task: 'classification' | 'regression' | 'raw';
  /** Name of the one output it reads. */
  readonly output: string;
  /** The same as a list, so that a run fetches no other. */
  readonly outputs: readonly string[];
  /** The answers, in row order. `tensor` is the output for any number of rows. */
  read(tensor: Tensor): Prediction[];
}

/** The element at `index` as JSON can carry it. */
export function element(tensor: Tensor, index: number): Scalar {
  const value = tensor.data[index]!;
  if (tensor.type === 'bool') return value === 1;
  if (typeof value !== 'bigint') return value;
  // Past 2^53 a JSON number would lose digits.
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** Elements of one row: 1 for `[rows]` and `[rows, 1]`; -1 where the file leaves it open. */
export function rowSize(spec: TensorSpec): number {
  const rowDims = spec.dims.slice(1);
  return rowDims.includes(-1) ? -1 : rowDims.reduce((product, dim) => product * dim, 1);
}

/** @throws {ServeError} `INVALID_CONFIG` for 16-bit floats, whose bits JSON readers would take for integers. */
export function refuseRawBits(spec: TensorSpec): void {
  if (spec.type === 'float16' || spec.type === 'bfloat16') {
    throw new ServeError(
      'INVALID_CONFIG',
      `Output "${spec.name}" holds ${spec.type}, which cannot be answered in JSON; export the model with a float32 output.`,
    );
  }
}
