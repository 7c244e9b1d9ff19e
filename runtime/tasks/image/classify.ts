/** @module The classes of images, as transformers' ImageClassificationPipeline. */

import type { ImageModel } from '../../image/image-model.ts';
import { activate, activationOf, highestFirst } from '../scores.ts';
import { encodeImages } from './encode-images.ts';
import type { ImageInput, ImageOperation } from './operation.ts';
import { unfit } from './output-floats.ts';
import { rowOf } from './row-outputs.ts';

export interface ClassifyInput extends ImageInput {
  /** Most classes of an image, the likeliest first. Default: that of the model, else 5. */
  readonly topK?: number | undefined;
  /** Classes that are less likely are left out. Default: that of the model, else 0. */
  readonly threshold?: number | undefined;
}

/** A class of an image. */
export interface ClassScore {
  readonly class: string;
  /** Its probability; the value itself of a regression. */
  readonly confidence: number;
}

export interface ClassifyOutput {
  /** Of each image, in falling order. */
  readonly results: readonly (readonly ClassScore[])[];
}

interface Context {
  readonly topK: number;
  readonly threshold: number;
}

const TOP_K = 5;

export const classify: ImageOperation<ClassifyInput, Context, ClassifyOutput> = {
  tasks: ['image-classification'],
  async prepare(model, input, tools, waiter) {
    const { defaults } = model;
    const topK = input.topK ?? defaults.topK ?? TOP_K;
    const threshold = input.threshold ?? defaults.threshold ?? 0;
    const { runs } = await encodeImages(model, input, tools, waiter);
    return { runs, outputs: [outputOf(model)], context: { topK, threshold } };
  },
  answer(model, results, { topK, threshold }) {
    const { head } = model;
    const isDone = head.kind === 'scores' && head.areProbabilities;
    const activation = isDone ? 'none' : activationOf(model);
    return {
      results: results.map((result) => {
        const scores = activate(rowOf(model, result, outputOf(model)).data, activation);
        if (!scores.every(Number.isFinite)) throw noNumbers();
        return highestFirst(scores, topK)
          .map((i) => ({ class: model.labels[i] ?? String(i), confidence: scores[i]! }))
          .filter(({ confidence }) => confidence >= threshold);
      }),
    };
  },
};

const noNumbers = () =>
  unfit(
    "The model's scores are not numbers, or without end, as where float16 has too small a range for it; check the model's dtype, or export it in float32.",
  );

function outputOf({ head }: ImageModel): string {
  if (head.kind === 'scores') return head.output;
  throw new Error(`A classifier has the head ${head.kind}.`);
}
