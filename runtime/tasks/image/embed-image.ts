/** @module Vectors of images. */

import { invalidArgument } from '../../errors.ts';
import type { ImageModel } from '../../image/image-model.ts';
import type { Vectors } from '../text/embedding.ts';
import { encodeImages } from './encode-images.ts';
import type { ImageInput, ImageOperation } from './operation.ts';
import { rowOf } from './row-outputs.ts';

export interface EmbedImageInput extends ImageInput {
  /** Whether vectors have the length 1. Default: true. */
  readonly normalize?: boolean | undefined;
}

interface Context {
  readonly normalize: boolean;
}

/** Shorter vectors are divided by this, as in PyTorch's `normalize`. */
const LEAST_LENGTH = 1e-12;

export const embedImage: ImageOperation<EmbedImageInput, Context, Vectors> = {
  tasks: ['image-feature-extraction'],
  async prepare(model, input, tools, waiter) {
    const { runs } = await encodeImages(model, input, tools, waiter);
    const context = { normalize: input.normalize ?? true };
    return { runs, outputs: [headOf(model).output], context };
  },
  answer(model, results, { normalize }) {
    const vectors = results.map((result) => vectorOf(model, result));
    const dimensions = vectors[0]!.length;
    const data = new Float32Array(vectors.length * dimensions);
    for (const [row, vector] of vectors.entries()) {
      if (vector.length !== dimensions) {
        throw invalidArgument(
          'The model has vectors of different lengths for these images; send one at a time.',
        );
      }
      data.set(normalize ? normalized(vector) : vector, row * dimensions);
    }
    return { data, rows: vectors.length, dimensions };
  },
};

function headOf({ head }: ImageModel) {
  if (head.kind === 'vector') return head;
  throw new Error(`An encoder of images has the head ${head.kind}.`);
}

/** The vector of an image: the output itself, the first of its patches, or their mean. */
function vectorOf(model: ImageModel, result: Parameters<typeof rowOf>[1]): Float32Array {
  const { output, pooling } = headOf(model);
  const { data, dims } = rowOf(model, result, output);
  if (pooling === 'none') return data;
  const size = dims.at(-1)!;
  if (pooling === 'cls') return data.subarray(0, size);
  const mean = new Float32Array(size);
  const patches = data.length / size;
  for (let i = 0; i < data.length; i += 1) mean[i % size]! += data[i]! / patches;
  return mean;
}

function normalized(vector: Float32Array): Float32Array {
  const squares = vector.reduce((sum, value) => sum + value * value, 0);
  const length = Math.max(Math.sqrt(squares), LEAST_LENGTH);
  return vector.map((value) => value / length);
}
