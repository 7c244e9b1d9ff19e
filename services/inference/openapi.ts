/** @module OpenAPI descriptions of the routes of the protocol. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import type { ServeCode } from '../../runtime/index.ts';
import { cacheControl, cacheHeaders, errorResponses, splitHeaders } from '../http/openapi.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { textEvent, textRequest, textResponse } from './generate-text.ts';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional();

const element = z.union([z.number(), z.string(), z.boolean()]);

const tensor = {
  name: z.string(),
  datatype: z.string().openapi({ example: 'FP32' }),
  shape: z.array(z.int()).openapi({ example: [1, 4] }),
  parameters,
  data: z
    .array(element)
    .optional()
    .openapi({
      description:
        'The elements in row-major order; absent if they are binary data. An element of BYTES is a text; of a model that decodes images it is the base64 of a file.',
      example: [5.1, 3.5, 1.4, 0.2],
    }),
};

const inferRequest = z
  .object({
    id: z.string().optional(),
    parameters,
    inputs: z.array(z.object(tensor)),
    outputs: z.array(z.object({ name: z.string(), parameters })).optional(),
  })
  .openapi('InferRequest');

const inferResponse = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(z.object(tensor)),
  })
  .openapi('InferResponse');

const MODEL_ERRORS: readonly ServeCode[] = [
  'MODEL_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'MODEL_NOT_READY',
];

const INFER_ERRORS: readonly ServeCode[] = [
  ...MODEL_ERRORS,
  'INVALID_ARGUMENT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_ENCODING',
  'OVERLOADED',
  'DRAINING',
  'DEADLINE_EXCEEDED',
];

/** Errors of encoded images. */
const IMAGE_ERRORS: readonly ServeCode[] = [
  'INVALID_IMAGE',
  'IMAGE_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
];

const INFER =
  'A model whose `model.json` says `"input": "image"` shows one input of BYTES [-1]. Its elements are encoded images, such as JPEG, at most 32: base64 in JSON, and the files themselves in binary data. The outputs have a row for each.';

const BINARY =
  'A JSON header, followed by the data of the tensors that have a `binary_data_size`, in their order.';

interface RouteDescription {
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly method?: 'get' | 'post';
  readonly errors?: readonly ServeCode[];
  readonly request?: NonNullable<RouteConfig['request']>;
  readonly content?: Record<string, { schema: z.ZodType }>;
  readonly headers?: z.ZodObject;
}

const GENERATE =
  'A model that generates text takes `text_input` and responds with `text_output`. Any other model takes each input as a member, and responds with each output as one.';

const generateRequest = z.union([
  textRequest,
  z
    .looseObject({ id: z.string().optional(), parameters: z.looseObject({}).optional() })
    .openapi('GenerateTensorsRequest', {
      description:
        'For any other model: each input by its name, as a value, a list in row-major order, or nested lists; it may also be a member of `parameters`.',
    }),
]);
const generatedTensors = z
  .looseObject({ id: z.string().optional(), model_name: z.string(), model_version: z.string() })
  .openapi('GeneratedTensors', { description: 'Of any other model: each output by its name.' });

const anything = { 'application/json': { schema: z.looseObject({}) } };
const binary = {
  'application/octet-stream': {
    schema: z.string().openapi({ format: 'binary', description: BINARY }),
  },
};

/** The routes. Those of a model also exist for each version, at `/v2/models/{model}/versions/{version}/…`. */
const routes: readonly RouteDescription[] = [
  { path: '/v2', summary: 'Name, version and extensions of the server' },
  { path: '/v2/health/live', summary: 'Whether the server runs' },
  {
    path: '/v2/health/ready',
    summary: 'Whether every model is ready; `/ready` asks only for one',
    errors: ['MODEL_NOT_READY'],
  },
  { path: '/v2/models', summary: 'Names of the models' },
  { path: '/v2/models/stats', summary: 'Statistics of every model' },
  { path: '/v2/models/{model}', summary: 'Inputs, outputs and versions', errors: MODEL_ERRORS },
  { path: '/v2/models/{model}/ready', summary: 'Whether a model is ready', errors: MODEL_ERRORS },
  { path: '/v2/models/{model}/config', summary: 'The configuration', errors: MODEL_ERRORS },
  { path: '/v2/models/{model}/stats', summary: 'Statistics of a model', errors: MODEL_ERRORS },
  {
    path: '/v2/models/{model}/infer',
    method: 'post',
    summary: 'Run a model on tensors',
    description: INFER,
    errors: [...INFER_ERRORS, ...IMAGE_ERRORS],
    request: {
      headers: z.object({
        'Inference-Header-Content-Length': z.string().optional().openapi({
          description:
            'Bytes of JSON in front of binary data; 0 for a body that is one raw tensor.',
        }),
        'Content-Encoding': z.enum(['gzip', 'deflate']).optional(),
        ...cacheControl,
      }),
      body: {
        required: true,
        content: { 'application/json': { schema: inferRequest }, ...binary },
      },
    },
    content: { 'application/json': { schema: inferResponse }, ...binary },
    headers: z.object({ ...splitHeaders, ...cacheHeaders }),
  },
  ...(['generate', 'generate_stream'] as const).map(
    (route): RouteDescription => ({
      path: `/v2/models/{model}/${route}`,
      method: 'post',
      summary:
        route === 'generate'
          ? 'Generate text, or run a model with inputs as members of a JSON object'
          : 'The same as a stream of server-sent events',
      description: GENERATE,
      errors: [...INFER_ERRORS, ...IMAGE_ERRORS, 'INVALID_JSON', 'WRONG_TASK'],
      request: {
        body: { required: true, content: { 'application/json': { schema: generateRequest } } },
      },
      content:
        route === 'generate'
          ? { 'application/json': { schema: z.union([textResponse, generatedTensors]) } }
          : { 'text/event-stream': { schema: z.union([textEvent, generatedTensors]) } },
    }),
  ),
  {
    path: '/v2/repository/index',
    method: 'post',
    summary: 'All models of the repository with their states',
    errors: ['INVALID_ARGUMENT'],
  },
  ...(['load', 'unload'] as const).map(
    (action): RouteDescription => ({
      path: `/v2/repository/models/{model}/${action}`,
      method: 'post',
      summary: action === 'load' ? 'Load or reload a model' : 'Unload a model',
      errors: [
        'INVALID_ARGUMENT',
        'LOAD_FAILED',
        'CROSS_SITE',
        'MODEL_NOT_FOUND',
        'UNSUPPORTED_MEDIA_TYPE',
        'CONTROL_DISABLED',
      ],
    }),
  ),
];

/** Adds the descriptions to the OpenAPI document. */
export function describeV2({ describe }: Pick<RouteBuilder, 'describe'>): void {
  for (const { path, summary, description, method = 'get', errors = [], ...route } of routes) {
    const { request, content, headers } = route;
    const model = path.includes('{model}')
      ? { params: z.object({ model: z.string().openapi({ example: 'iris' }) }) }
      : {};
    describe({
      method,
      path,
      summary,
      ...(description === undefined ? {} : { description }),
      tags: ['Open Inference Protocol V2'],
      request: { ...model, ...request },
      responses: {
        200: {
          description: 'Success',
          content: content ?? anything,
          ...(headers === undefined ? {} : { headers }),
        },
        ...errorResponses(errors),
      },
    });
  }
}
