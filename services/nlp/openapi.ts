/** @module What the descriptions of the routes on texts have in common. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import type { ServeCode } from '../../runtime/index.ts';
import {
  errorResponses,
  INFER_ERRORS,
  inferRequestHeaders,
  inferResponseHeaders,
} from '../http/openapi.ts';

/** The errors of every route on texts. */
export const TEXT_ERRORS: readonly ServeCode[] = [...INFER_ERRORS, 'UNSUPPORTED_ENCODING'];

const usageSchema = z
  .object({
    tokens: z.int().openapi({
      description:
        'Tokens that the model has read, special ones included. Those that windows of a long text share count in each of them.',
      example: 7,
    }),
    truncated: z.int().openapi({
      description: 'Texts of which a part was left out.',
      example: 0,
    }),
  })
  .openapi('TextUsage');

/** The members of every response of our own forms. */
export const aboutFields = {
  model_version: z.string().openapi({ example: 'v1.0' }),
  inference_time_ms: z.number().openapi({
    description:
      'Time of the longest run in milliseconds, which the requests of a batch share, and those that its results are cached for. A summary that is made in rounds has the sum of theirs.',
    example: 4.2,
  }),
  request_id: z.string().openapi({ example: 'req_1f0c9a7e2b001' }),
  usage: usageSchema,
};

/** The response for one text, or for a list of texts. */
export const eachSchema = (result: z.ZodObject) =>
  z.union([
    z.object({ ...result.shape, ...aboutFields }),
    z.object({ results: z.array(result), ...aboutFields }),
  ]);

type Content = Readonly<Record<string, { readonly schema: z.ZodType }>>;

export interface TextOperationDescription {
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly request: z.ZodType;
  /** The response as JSON, or in several forms. */
  readonly response: z.ZodType | Content;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly errors?: RouteConfig['responses'];
}

/** The description of a route on texts in the OpenAPI document. */
export function describeTextRoute(route: TextOperationDescription): RouteConfig {
  const { path, summary, description, request, response, headers = {} } = route;
  const content =
    response instanceof z.ZodType ? { 'application/json': { schema: response } } : response;
  return {
    method: 'post',
    path,
    summary,
    ...(description === undefined ? {} : { description }),
    request: {
      headers: z.object({
        ...inferRequestHeaders,
        'Content-Encoding': z.enum(['gzip', 'deflate']).optional(),
      }),
      body: { required: true, content: { 'application/json': { schema: request } } },
    },
    responses: {
      200: {
        description: 'The response',
        headers: z.object({ ...inferResponseHeaders, ...headers }),
        content,
      },
      ...(route.errors ?? errorResponses(TEXT_ERRORS)),
    },
  };
}
