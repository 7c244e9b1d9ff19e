/** @module OpenAPI descriptions of errors and of the routes that every service has. */

import { type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import type { ServeCode } from '../../runtime/index.ts';
import { STATUS } from './error-response.ts';

const errorSchema = z
  .object({
    error: z.string().openapi({ description: 'One sentence for people.' }),
    code: z.string().openapi({ description: 'For programs.', example: 'INVALID_ARGUMENT' }),
    request_id: z.string(),
  })
  .openapi('Error');

/**
 * One response for each status of these error codes.
 *
 * @param schema The form of the error.
 */
export function errorResponses(
  codes: readonly ServeCode[],
  schema: z.ZodType = errorSchema,
): RouteConfig['responses'] {
  const statuses = [...new Set(codes.map((code) => STATUS[code]))];
  const responses = statuses.map((status) => ({
    [status]: {
      description: codes.filter((code) => STATUS[code] === status).join(', '),
      content: { 'application/json': { schema } },
    },
  }));
  return Object.assign({}, ...responses) as RouteConfig['responses'];
}

/** The header by which a request to an infer route controls the cache. */
export const cacheControl = {
  'Cache-Control': z.string().optional().openapi({
    description:
      'For a version that is cached: `no-cache` makes a run, and caches its results; `no-store` makes one and does not.',
    example: 'no-cache',
  }),
};

/** What the response of an infer route says about the cache, if its version is cached. */
export const cacheHeaders = {
  'X-Cache': z.enum(['hit', 'miss', 'bypass']).optional().openapi({
    description:
      'Whether the outputs are those of an earlier run, or of one that another request has started.',
  }),
  Age: z.int().optional().openapi({ description: 'Seconds since the run of a hit.', example: 12 }),
};

/** What the response of an infer route says about a traffic split, also that of an error. */
export const splitHeaders = {
  'X-Model-Version': z.string().optional().openapi({
    description: 'The version that has the request, if a traffic split has chosen it.',
    example: 'v1.0',
  }),
};

/** The headers of a request to an infer route whose body is read as a whole. */
export const inferRequestHeaders = {
  'X-Request-Timeout-Ms': z.number().optional().openapi({
    description: 'Timeout in milliseconds; afterwards the response is a 504.',
  }),
  'X-Request-Id': z.string().optional().openapi({
    description: 'Up to 128 letters, digits, `_` and `-`; the response repeats it.',
  }),
  ...cacheControl,
};

/** The headers of the response of an infer route. */
export const inferResponseHeaders = {
  'X-Request-Id': z.string(),
  'Server-Timing': z.string().openapi({
    example: 'queue;dur=0.041, batch;desc="8/16", compute;dur=4.213',
  }),
  ...splitHeaders,
  ...cacheHeaders,
};

/** The errors of every infer route. */
export const INFER_ERRORS: readonly ServeCode[] = [
  'INVALID_ARGUMENT',
  'INVALID_JSON',
  'BODY_INCOMPLETE',
  'WRONG_TASK',
  'MODEL_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'BODY_TIMEOUT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'INTERNAL',
  'MODEL_NOT_READY',
  'OVERLOADED',
  'DRAINING',
  'DEADLINE_EXCEEDED',
];

/** Describes the probes and the metrics page. */
export function describeControlRoutes(app: OpenAPIHono): void {
  const json = (description: string) => ({
    description,
    content: { 'application/json': { schema: z.looseObject({ status: z.string() }) } },
  });
  const describe = (path: string, summary: string, responses: RouteConfig['responses']) =>
    app.openAPIRegistry.registerPath({ method: 'get', path, summary, responses });

  describe('/alive', 'Whether the process runs', { 200: json('The process runs') });
  describe('/health', 'Whether the process runs, and whether it is ready', {
    200: json('The process runs'),
  });
  describe('/ready', 'Whether the service takes requests, and the state of every model version', {
    200: json('The service takes requests'),
    [STATUS.DRAINING]: json('The service does not take requests'),
  });
  describe('/metrics', 'Metrics for Prometheus', {
    200: {
      description: 'Metrics in the text format',
      content: { 'text/plain': { schema: z.string() } },
    },
  });
}
