/** @module Errors of the routes under `/v1`, in the form of OpenAI's API. */

import { z } from '@hono/zod-openapi';
import { type ServeCode, ServeError } from '../../runtime/index.ts';
import { STATUS } from '../http/error-response.ts';
import { errorResponses } from '../http/openapi.ts';
import { TEXT_ERRORS } from './openapi.ts';

const errorSchema = z
  .object({
    error: z.object({
      message: z.string().openapi({ description: 'One sentence for people.' }),
      type: z.enum(['invalid_request_error', 'server_error']),
      param: z.string().nullable().openapi({
        description: 'The member of the request that is wrong, if it is one.',
        example: 'dimensions',
      }),
      code: z.string().openapi({ description: 'For programs.', example: 'INVALID_ARGUMENT' }),
    }),
  })
  .openapi('OpenAiError');

/** Errors that are about the member `model`. */
const OF_MODEL: readonly ServeCode[] = ['MODEL_NOT_FOUND', 'WRONG_TASK'];

/** The body of an error response. */
export const openAiBody = ({ code, message, param }: ServeError): object => {
  const type = STATUS[code] < STATUS.INTERNAL ? 'invalid_request_error' : 'server_error';
  const about = param ?? (OF_MODEL.includes(code) ? 'model' : null);
  return { error: { message, type, param: about, code } };
};

const NO_ROUTE =
  'There is no such route under /v1; POST /v1/embeddings, POST /v1/rerank and GET /v1/models are served, and text is generated at /v2/models/{model}/generate.';

/** As `openAiBody`; of an unknown route it names those that there are. */
export const unmatchedBody = (error: ServeError): object =>
  openAiBody(
    error.code === 'ROUTE_NOT_FOUND' ? new ServeError('ROUTE_NOT_FOUND', NO_ROUTE) : error,
  );

/** The errors in the OpenAPI document: those of the other routes in this form. */
export const openAiErrors = errorResponses(TEXT_ERRORS, errorSchema);
