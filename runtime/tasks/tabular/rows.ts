/** @module Checks which rows an output belongs to: `/predict` never returns one row's result for another row. */

import type { Signature, Tensor, TensorSpec } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { TaskModel } from '../task.ts';

/**
 * Whether a run may take several rows. Only the engine's own tests count: an output with as many rows as the
 * input may still be divided otherwise, such as 2, 0 and 1 detections for three images.
 */
export const takesManyRows = ({ inputs, batching }: Signature): boolean =>
  batching.enabled && inputs.every(({ dims }) => dims[0] === -1);

/**
 * Compares the rows of an output with the rows of the inputs.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` if an output has another number of rows.
 */
export function checkRows(model: string, tensor: Tensor, rows: number): void {
  // A run of one row may return a scalar.
  if ((tensor.dims[0] ?? 1) !== rows) throw otherRows(model);
}

/**
 * Refuses a model whose file names dimension 0 of the output differently from that of its inputs, such as
 * `found` beside `batch`. Names that end in a digit have no meaning, because exporters generate them. A model with
 * such names is batched only if `batching` declares that its rows are independent, which is the usual remedy, so it
 * is accepted and the result is a sentence about it.
 *
 * @throws {ServeError} `INVALID_CONFIG`
 */
export function otherRowNotes(
  { name, signature }: TaskModel,
  output: TensorSpec,
): readonly string[] {
  const symbol = rowSymbol(output);
  const known = signature.inputs.every((input) => input.dims[0] === 1 || rowSymbol(input));
  const isOther = !signature.inputs.some((input) => rowSymbol(input) === symbol);
  if (symbol === undefined || !known || !isOther) return [];
  if (!takesManyRows(signature)) throw otherRows(name, 'INVALID_CONFIG');
  return [
    `Only "batching" declares that output '${output.name}' has one row for each row of the inputs: its dimension 0 has another name, '${symbol}'`,
  ];
}

function rowSymbol({ symbols }: TensorSpec): string | undefined {
  const symbol = symbols[0] ?? '';
  return /^[A-Za-z].*\D$/.test(symbol) && symbol !== 'None' ? symbol : undefined;
}

function otherRows(
  model: string,
  code: 'INVALID_ARGUMENT' | 'INVALID_CONFIG' = 'INVALID_ARGUMENT',
): ServeError {
  return new ServeError(
    code,
    `The outputs of model '${model}' do not have one row for each row of features, so that the results of rows cannot be distinguished; send tensors to /v2/models/${model}/infer.`,
  );
}
