/** @module What turns a tabular model's outputs into predictions, one a row. */

import type { Tensor, TensorSpec } from '../../../native/index.ts';
import type { JsonElement } from '../../elements.ts';

/** The prediction for one row. `confidence` is there only where the model gives probabilities. */
export interface Prediction {
  readonly prediction: JsonElement | readonly JsonElement[];
  readonly confidence?: number;
}

/** Made once for a version when it loads; holds no state. */
export interface Predictor {
  /** Names of the outputs it reads, so that a run fetches no other. */
  readonly outputs: readonly string[];
  /** Predictions in row order, from outputs of any number of rows. */
  read(outputs: Readonly<Record<string, Tensor>>): Prediction[];
}

/** Elements of one row: 1 for `[rows]` and `[rows, 1]`; -1 where the file leaves it open. */
export function rowSize(spec: TensorSpec): number {
  const rowDims = spec.dims.slice(1);
  return rowDims.includes(-1) ? -1 : rowDims.reduce((product, dim) => product * dim, 1);
}
