/** @module What `POST /predict` takes and gives: checked by, and documented from, these schemas. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import { type Features, quote } from '../../runtime/index.ts';
import { errorResponses } from '../http/openapi.ts';

/** Whether a value may be features, as far as that can be told without a model. */
export const isFeatures = (value: unknown): value is Features =>
  typeof value === 'object' && value !== null;

const value: { type: ('number' | 'string' | 'boolean' | 'null')[] } = {
  type: ['number', 'string', 'boolean', 'null'],
};
const row = { type: 'array' as const, items: value };
const namedRow = { type: 'object' as const, additionalProperties: { anyOf: [value, row] } };

/**
 * The frame of a request. The values of `features` are checked against the model's own signature while
 * they are laid out for it, in one pass, so here they only have to be a list.
 */
export const predictRequest = z
  .strictObject(
    {
      features: z
        .custom<Features>(
          isFeatures,
          'must be a list of values, an object of values by name, or a list of such rows',
        )
        .openapi({
          description:
            'One row: a list of values in the order of the model’s features, or an object of values by the names of the features or inputs. Or many rows: a list of them. `null` is a missing value where `model.json` of the model says so.',
          type: ['array', 'object'],
          anyOf: [row, namedRow, { type: 'array', items: { anyOf: [row, namedRow] } }],
          example: [5.1, 3.5, 1.4, 0.2],
        }),
      model: z.string('must be a text').optional().openapi({
        description: 'Name of the model. Default: the default model of the repository.',
        example: 'iris',
      }),
      non_finite: z
        .enum(['string', 'null', 'literal'], 'must be "string", "null" or "literal"')
        .optional()
        .openapi({
          description:
            'How NaN and the infinities are written: the strings "NaN", "Infinity" and "-Infinity" (default), `null`, or these words without quotes, which not every parser of JSON takes.',
        }),
      model_version: z.string('must be a text').optional().openapi({
        description: 'A version, or a label such as `stable`. Default: the traffic split decides.',
        example: 'v1.0',
      }),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has the unknown field ${quote(issue.keys[0] ?? '')}; the fields are features, model, model_version and non_finite`
          : 'must be a JSON object such as {"features": [5.1, 3.5, 1.4, 0.2]}',
    },
  )
  .openapi('PredictRequest');

export type PredictRequest = z.infer<typeof predictRequest>;

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const prediction = {
  prediction: z.union([scalar, z.array(scalar)]).openapi({
    description:
      'The label of a classifier, the number of a regressor, else what the model’s output holds for the row.',
    example: 'setosa',
  }),
  confidence: z.union([z.number(), z.string(), z.null()]).optional().openapi({
    description:
      'A classifier’s probability of the label, to six decimals; where it is NaN, as `non_finite` says.',
    example: 0.97,
  }),
};

const about = {
  model_version: z.string().openapi({ example: 'v1.0' }),
  inference_time_ms: z.number().openapi({
    description: 'Time the model ran, with the other requests of its batch.',
    example: 0.21,
  }),
  request_id: z.string().openapi({ example: 'req_1f0c9a7e2b001' }),
};

const predictResponse = z
  .union([
    z.object({ ...prediction, ...about }).openapi('Prediction'),
    z.object({ predictions: z.array(z.object(prediction)), ...about }).openapi('Predictions'),
  ])
  .openapi({
    description: 'One answer for one row; for a list of rows a list, in the same order.',
  });

/** The entry of the API's description. */
export const predictOperation: RouteConfig = {
  method: 'post',
  path: '/predict',
  summary: 'Predict from rows of features',
  request: {
    headers: z.object({
      'X-Request-Timeout-Ms': z.number().optional().openapi({
        description: 'Deadline in milliseconds from now; past it the answer is an error.',
      }),
      'X-Request-Id': z.string().optional().openapi({
        description: 'Up to 128 letters, digits, `_` and `-`; comes back with the answer.',
      }),
    }),
    body: { required: true, content: { 'application/json': { schema: predictRequest } } },
  },
  responses: {
    200: {
      description: 'The answer',
      headers: z.object({
        'X-Request-Id': z.string(),
        'Server-Timing': z.string().openapi({
          example: 'queue;dur=0.041, batch;desc="8/16", compute;dur=0.213',
        }),
      }),
      content: { 'application/json': { schema: predictResponse } },
    },
    ...errorResponses([
      'INVALID_ARGUMENT',
      'INVALID_JSON',
      'BODY_INCOMPLETE',
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
    ]),
  },
};
