/** @module `POST /detect`: the things that an image shows, and where. */

import { z } from '@hono/zod-openapi';
import { detect } from '../../runtime/index.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { imageRoute, imagesOf, writeResults } from './image-route.ts';
import { boxSchema, describeImageRoute, eachSchema } from './openapi.ts';
import { boxOptions, commonOptions, threshold } from './options.ts';

const optionsSchema = z
  .strictObject({
    threshold: threshold(
      'Boxes are left out unless their confidence is above it. Default: 0.25; for models such as DETR 0.5.',
    ),
    ...boxOptions,
    classes: z
      .array(z.string())
      .min(1)
      .max(1000)
      .optional()
      .openapi({
        description:
          'Only boxes of these classes, by their names or numbers. In a form or a query the names are separated by commas, or the option is repeated.',
        example: ['person', 'cat'],
      }),
    ...commonOptions,
  })
  .openapi('DetectOptions');

const resultSchema = z
  .object({
    detections: z
      .array(
        z
          .object({
            box: boxSchema,
            class: z.string().openapi({ example: 'cat' }),
            confidence: z.number().openapi({ example: 0.93 }),
          })
          .openapi('Detection'),
      )
      .openapi({ description: 'By falling confidence.' }),
    image: z.object({ width: z.int(), height: z.int() }).openapi({
      description: 'Pixels of the image after its EXIF orientation.',
      example: { width: 640, height: 480 },
    }),
  })
  .openapi('Detections');

/** Adds the route. */
export function detectRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/detect';
  infer(
    imageRoute(runtime, {
      path,
      operation: detect,
      options: optionsSchema,
      read(options, body) {
        const { model, model_version, max_detections: maxDetections, ...own } = options;
        return {
          ...{ model, model_version },
          input: { ...imagesOf(body), ...own, maxDetections },
          write({ output, about }) {
            const results = output.results.map(({ detections, image }) => ({
              detections: detections.map((each) => ({
                ...each,
                confidence: roundScore(each.confidence),
              })),
              image,
            }));
            return writeResults(results, body.isList, about);
          },
        };
      },
    }),
  );
  describe(
    describeImageRoute({
      path,
      summary: 'Detect objects in images',
      options: optionsSchema,
      response: eachSchema(resultSchema),
    }),
  );
}
