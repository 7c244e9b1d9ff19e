/** @module The outputs of the run of one image. */

import type { HeadTensor } from '../../../native/index.ts';
import type { ImageModel } from '../../image/image-model.ts';
import type { TaskResult } from '../task.ts';
import { floatsOf, unfit } from './output-floats.ts';

/**
 * An output as floats, without its dimension of rows.
 *
 * @throws {ServeError} `INTERNAL` for an output that is not of numbers, or has several rows.
 */
export function rowOf({ input }: ImageModel, { outputs }: TaskResult, name: string): HeadTensor {
  const tensor = outputs[name]!;
  const [rows, ...dims] = input.hasRows ? tensor.dims : [1, ...tensor.dims];
  if (rows !== 1) {
    throw unfit(`Output '${name}' of the model has ${rows} rows for one image, but needs 1.`);
  }
  return { data: floatsOf(name, tensor), dims };
}
