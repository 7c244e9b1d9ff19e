/** @module Converts a tabular model's outputs to predictions, one for each row. */

import type { TensorSpec } from '../../../native/index.ts';
import { elementCount } from '../../elements.ts';
import type { JsonElement, NonFinite } from '../../non-finite.ts';
import type { Outputs } from '../task.ts';

/** The prediction for one row. `confidence` is set only if the model returns probabilities. */
export interface Prediction {
  readonly prediction: JsonElement | readonly JsonElement[];
  readonly confidence?: JsonElement;
}

/** Created once for a version when it loads; holds no state. */
export interface Predictor {
  /** Names of the outputs it reads, so that a run fetches no other. */
  readonly outputs: readonly string[];
  /** Predictions in row order, from outputs that have this many rows. */
  read(outputs: Outputs, rows: number, nonFinite: NonFinite): Prediction[];
}

/** Elements of one row: 1 for `[rows]` and `[rows, 1]`; -1 if the file leaves it open. */
export function rowSize(spec: TensorSpec): number {
  const rowDims = spec.dims.slice(1);
  return rowDims.includes(-1) ? -1 : elementCount(rowDims);
}
