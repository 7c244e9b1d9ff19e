/** @module `POST /embed-image`: vectors of images. */

import { z } from '@hono/zod-openapi';
import { embedImage } from '../../runtime/index.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { wantsBytes, writeBytes, writeNumbers } from '../http/vectors.ts';
import { imageRoute, imagesOf } from './image-route.ts';
import { aboutFields, describeImageRoute } from './openapi.ts';
import { commonOptions } from './options.ts';

const optionsSchema = z
  .strictObject({
    normalize: z.boolean().optional().openapi({
      description: 'Whether vectors have the length 1. Default: true.',
    }),
    ...commonOptions,
  })
  .openapi('EmbedImageOptions');

const responseSchema = z
  .object({
    embeddings: z.array(z.array(z.number())).openapi({ example: [[0.0123, -0.0456]] }),
    dimensions: z.int().openapi({ description: 'Numbers of each vector.', example: 768 }),
    ...aboutFields,
  })
  .openapi('ImageEmbeddings');

/** Adds the route. */
export function embedImageRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/embed-image';
  infer(
    imageRoute(runtime, {
      path,
      operation: embedImage,
      options: optionsSchema,
      read(options, body, headers) {
        const { model, model_version, ...own } = options;
        return {
          ...{ model, model_version },
          input: { ...imagesOf(body), ...own },
          write({ output, about, codec }) {
            if (wantsBytes(headers)) return writeBytes(output);
            const end = JSON.stringify({ dimensions: output.dimensions, ...about });
            return writeNumbers(codec, output, {
              head: '{"embeddings":[',
              tail: `],${end.slice(1)}`,
            });
          },
        };
      },
    }),
  );
  describe(
    describeImageRoute({
      path,
      summary: 'Embed images',
      options: optionsSchema,
      response: {
        'application/json': { schema: responseSchema },
        'application/octet-stream': {
          schema: z.string().openapi({
            format: 'binary',
            description: 'The floats of all vectors, little-endian, if `Accept` asks for it.',
          }),
        },
      },
      headers: {
        'X-Shape': z.string().optional().openapi({
          description:
            'With `application/octet-stream`: the number of vectors, and of their numbers.',
          example: '2,768',
        }),
      },
    }),
  );
}
