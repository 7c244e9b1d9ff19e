/** @module Errors of the routes under `/v1`, in the form of OpenAI's API. */

import { z } from '@hono/zod-openapi';
import type { ServeError } from '../../runtime/index.ts';
import { STATUS } from '../http/error-response.ts';
import { errorResponses } from '../http/openapi.ts';
import { TEXT_ERRORS } from './openapi.ts';

const errorSchema = z
  .object({
    error: z.object({
      message: z.string().openapi({ description: 'One sentence for people.' }),
      type: z.enum(['invalid_request_error', 'server_error']),
      param: z.null(),
      code: z.string().openapi({ description: 'For programs.', example: 'INVALID_ARGUMENT' }),
    }),
  })
  .openapi('OpenAiError');

/** The body of an error response. */
export const openAiBody = ({ code, message }: ServeError): object => {
  const type = STATUS[code] < STATUS.INTERNAL ? 'invalid_request_error' : 'server_error';
  return { error: { message, type, param: null, code } };
};

/** The errors in the OpenAPI document: those of the other routes in this form. */
export const openAiErrors = errorResponses(TEXT_ERRORS, errorSchema);
