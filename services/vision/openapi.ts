/** @module What the descriptions of the routes on images have in common. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import type { ServeCode } from '../../runtime/index.ts';
import {
  errorResponses,
  INFER_ERRORS,
  inferRequestHeaders,
  inferResponseHeaders,
} from '../http/openapi.ts';

const ERRORS: readonly ServeCode[] = [
  ...INFER_ERRORS,
  'INVALID_IMAGE',
  'IMAGE_TOO_LARGE',
  'UNSUPPORTED_ENCODING',
];

/** The members of every response. */
export const aboutFields = {
  model_version: z.string().openapi({ example: '1' }),
  inference_time_ms: z.number().openapi({
    description: 'Time of the longest run in milliseconds, which the requests of a batch share.',
    example: 9.4,
  }),
  request_id: z.string().openapi({ example: 'req_1f0c9a7e2b001' }),
};

/** The response for one image, or for several. */
export const eachSchema = (result: z.ZodObject) =>
  z.union([
    z.object({ ...result.shape, ...aboutFields }),
    z.object({ results: z.array(result), ...aboutFields }),
  ]);

/** A box in pixels of the image. */
export const boxSchema = z
  .object({
    x: z.number().openapi({ description: 'The left edge.', example: 12.5 }),
    y: z.number().openapi({ description: 'The upper edge.', example: 40 }),
    width: z.number().openapi({ example: 200.25 }),
    height: z.number().openapi({ example: 310 }),
  })
  .openapi('Box', { description: 'Pixels of the image after its EXIF orientation.' });

const dataUrl = z.string().openapi({
  description: 'A data URL such as `data:image/jpeg;base64,…`. Images are never fetched.',
  example: 'data:image/jpeg;base64,…',
});

const file = z.string().openapi({ format: 'binary' });

type Content = Readonly<Record<string, { readonly schema: z.ZodType }>>;

export interface ImageOperationDescription {
  readonly path: string;
  readonly summary: string;
  readonly options: z.ZodObject;
  /** The response as JSON, or in several forms. */
  readonly response: z.ZodType | Content;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
}

/** The description of a route on images in the OpenAPI document. */
export function describeImageRoute(route: ImageOperationDescription): RouteConfig {
  const { path, summary, options, response, headers = {} } = route;
  const content =
    response instanceof z.ZodType ? { 'application/json': { schema: response } } : response;
  const form = z.object({
    image: z.array(file).min(1).max(32).openapi({ description: 'One part for each image.' }),
    ...options.shape,
  });
  const json = z.object({
    image: dataUrl.optional(),
    images: z.array(dataUrl).min(1).max(32).optional().openapi({
      description: 'Instead of `image`: several; the response has `results` in the same order.',
    }),
    ...options.shape,
  });
  return {
    method: 'post',
    path,
    summary,
    description:
      'Takes JPEG, PNG, WebP, AVIF, GIF and TIFF. With a body that is an image the options are in the query, where they may also be with other bodies.',
    request: {
      headers: z.object(inferRequestHeaders),
      query: z.object(options.shape),
      body: {
        required: true,
        content: {
          'multipart/form-data': { schema: form },
          'application/json': { schema: json },
          'image/*': { schema: file },
        },
      },
    },
    responses: {
      200: {
        description: 'The response',
        headers: z.object({ ...inferResponseHeaders, ...headers }),
        content,
      },
      ...errorResponses(ERRORS),
    },
  };
}
