/** @module The outputs of the run of one image. */

import type { HeadTensor } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import { floatsOfHalves } from '../../half-floats.ts';
import type { ImageModel } from '../../image/image-model.ts';
import type { TaskResult } from '../task.ts';

/**
 * An output as floats, without its dimension of rows.
 *
 * @throws {ServeError} `INTERNAL` for an output that is not of numbers, or has several rows.
 */
export function rowOf({ input }: ImageModel, { outputs }: TaskResult, name: string): HeadTensor {
  const tensor = outputs[name]!;
  const [rows, ...dims] = input.hasRows ? tensor.dims : [1, ...tensor.dims];
  if (rows !== 1) {
    throw new ServeError('INTERNAL', `Output '${name}' has ${rows} rows for one image.`);
  }
  return { data: floatsOf(name, tensor), dims };
}

function floatsOf(name: string, { type, data }: TaskResult['outputs'][string]): Float32Array {
  switch (type) {
    case 'float32':
      return data as Float32Array;
    case 'float16':
      return floatsOfHalves(data as Uint16Array);
    case 'int64':
      return Float32Array.from(data as BigInt64Array, Number);
    case 'float64':
    case 'int32':
    case 'uint8':
    case 'bool':
      return Float32Array.from(data as Float64Array);
    default:
      throw new ServeError('INTERNAL', `Output '${name}' is ${type}, and no numbers.`);
  }
}
