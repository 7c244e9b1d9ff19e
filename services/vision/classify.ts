/** @module `POST /classify`: what an image shows. */

import { z } from '@hono/zod-openapi';
import { classify } from '../../runtime/index.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { imageRoute, imagesOf, writeResults } from './image-route.ts';
import { describeImageRoute, eachSchema } from './openapi.ts';
import { commonOptions, threshold } from './options.ts';

const optionsSchema = z
  .strictObject({
    top_k: z.int().min(1).max(1000).optional().openapi({
      description: 'Most classes, the likeliest first. Default: 5.',
    }),
    threshold: threshold('Classes with a lower confidence are left out. Default: 0.'),
    ...commonOptions,
  })
  .openapi('ClassifyOptions');

const resultSchema = z
  .object({
    predictions: z.array(
      z
        .object({
          class: z.string().openapi({ example: 'tiger cat' }),
          confidence: z.number().openapi({
            description:
              'The probability of the class: softmax, or a sigmoid for each class if several may hold; the value itself of a regression.',
            example: 0.95,
          }),
        })
        .openapi('ClassPrediction'),
    ),
  })
  .openapi('Classified');

/** Adds the route. */
export function classifyRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/classify';
  infer(
    imageRoute(runtime, {
      path,
      operation: classify,
      options: optionsSchema,
      read(options, body) {
        const { top_k: topK, threshold, model, model_version, background, tolerant } = options;
        return {
          ...{ model, model_version },
          input: { ...imagesOf(body), topK, threshold, background, tolerant },
          write({ output, about }) {
            const results = output.results.map((classes) => ({
              predictions: classes.map((each) => ({
                class: each.class,
                confidence: roundScore(each.confidence),
              })),
            }));
            const predictions = results.map(({ predictions: [best] }) => ({
              prediction: best?.class ?? '',
              confidence: best?.confidence ?? 0,
            }));
            return { ...writeResults(results, body.isList, about), predictions };
          },
        };
      },
    }),
  );
  describe(
    describeImageRoute({
      path,
      summary: 'Classify images',
      options: optionsSchema,
      response: eachSchema(resultSchema),
    }),
  );
}
