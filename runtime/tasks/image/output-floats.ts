/** @module The numbers of a model's outputs. */

import { type HeadTensor, MillraceError, type Tensor } from '../../../native/index.ts';
import { invalidArgument, redact, ServeError } from '../../errors.ts';
import { floatsOfHalves } from '../../half-floats.ts';

/**
 * An output as float32, which holds numbers of classes exactly. Nothing may write to it, because it may be the memory of the output.
 *
 * @throws {ServeError} `INTERNAL` for an output that is not of numbers.
 */
export function floatsOf(name: string, { type, data }: Tensor): HeadTensor['data'] {
  switch (type) {
    case 'float32':
      return data;
    case 'float16':
      return floatsOfHalves(data);
    case 'int64':
    case 'uint64':
      return Float32Array.from(data as ArrayLike<bigint>, Number);
    case 'string':
    case 'bfloat16':
      throw unfit(
        `Output '${name}' of the model is of the type ${type}, but outputs are read from numbers of float32, float16, float64 or integers; export the model again with one of these.`,
      );
    default:
      return Float32Array.from(data);
  }
}

/** The outputs of a model are not those that it is said to have, which no request can change. */
export const unfit = (message: string, cause?: unknown): ServeError =>
  new ServeError('INTERNAL', message, { cause });

/**
 * What a function on images reads from outputs. The options of requests are checked before, so that what it calls invalid are the
 * outputs.
 *
 * @throws {ServeError} `INTERNAL` for outputs that do not fit the head, `INVALID_ARGUMENT` for more than is read of one image
 */
export async function readingOf<Result>(reading: Promise<Result>): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    // Results may be larger than any that are made.
    if (error.code === 'UNIMPLEMENTED') throw invalidArgument(`${error.message}.`);
    if (error.code !== 'INVALID_ARGUMENT') throw error;
    throw unfit(
      `The outputs of the model do not fit its head, which "head" in model.json names: ${redact(error.message)}`,
      error,
    );
  }
}
