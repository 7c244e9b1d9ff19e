/** @module Schemas of `POST /predict`, which check requests and generate the OpenAPI document. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import { type Features, quote } from '../../runtime/index.ts';
import {
  errorResponses,
  INFER_ERRORS,
  inferRequestHeaders,
  inferResponseHeaders,
} from '../http/openapi.ts';

/** Whether a value may be features, checked without a model. */
export const isFeatures = (value: unknown): value is Features =>
  typeof value === 'object' && value !== null;

const value: { type: ('number' | 'string' | 'boolean' | 'null')[] } = {
  type: ['number', 'string', 'boolean', 'null'],
};
const row = { type: 'array' as const, items: value };
const namedRow = { type: 'object' as const, additionalProperties: { anyOf: [value, row] } };

/**
 * The schema of a request. It does not check the values of `features`: they are checked against the model's
 * signature in the same pass that encodes them.
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
      model: z.string('must be a string').optional().openapi({
        description: 'Name of the model. Default: the default model of the repository.',
        example: 'iris',
      }),
      non_finite: z
        .enum(['string', 'null', 'literal'], 'must be "string", "null" or "literal"')
        .optional()
        .openapi({
          description:
            'How NaN and the infinities are written: as the strings "NaN", "Infinity" and "-Infinity" (default), as `null`, or as these words without quotes, which not every JSON parser accepts.',
        }),
      model_version: z.string('must be a string').optional().openapi({
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
      'The label of a classifier, the number of a regressor, otherwise the values of the model’s output for the row.',
    example: 'setosa',
  }),
  confidence: z.union([z.number(), z.string(), z.null()]).optional().openapi({
    description:
      'The probability of the label, to six decimals; only from classifiers. NaN is written as `non_finite` says.',
    example: 0.97,
  }),
};

const about = {
  model_version: z.string().openapi({ example: 'v1.0' }),
  inference_time_ms: z.number().openapi({
    description:
      'Time of the run in milliseconds, which the requests of a batch share, and those that its results are cached for.',
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
    description:
      'One prediction for one row; for a list of rows a list of predictions in the same order.',
  });

/** The description of the route in the OpenAPI document. */
export const predictOperation: RouteConfig = {
  method: 'post',
  path: '/predict',
  summary: 'Predict from rows of features',
  request: {
    headers: z.object(inferRequestHeaders),
    body: { required: true, content: { 'application/json': { schema: predictRequest } } },
  },
  responses: {
    200: {
      description: 'The predictions',
      headers: z.object(inferResponseHeaders),
      content: { 'application/json': { schema: predictResponse } },
    },
    ...errorResponses(INFER_ERRORS),
  },
};
