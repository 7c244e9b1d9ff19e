/** @module `/feedback`: outcomes of requests, which are counted for the version that responded. */

import { z } from '@hono/zod-openapi';
import { errorResponses } from '../http/openapi.ts';
import { json } from './openapi.ts';
import type { AdminTools } from './tools.ts';

/** The statistics add up squares of rewards, in which a larger one would leave nothing of the others. */
const MAX_REWARD = 1e12;

const value = z.union([z.string(), z.number(), z.boolean()]);

const feedbackBody = z
  .strictObject({
    request_id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'the request_id of a response'),
    truth: z
      .union([value, z.array(value)])
      .optional()
      .openapi({
        description: 'What the prediction should have been; for many rows a list',
      }),
    reward: z
      .number()
      .min(-MAX_REWARD)
      .max(MAX_REWARD)
      .optional()
      .openapi({ description: 'How good it was; higher is better' }),
  })
  .refine(
    ({ truth, reward }) => truth !== undefined || reward !== undefined,
    'an object with truth or reward',
  )
  .openapi('Feedback');

const joinedSchema = z
  .object({
    request_id: z.string(),
    model: z.string(),
    model_version: z.string(),
    arm: z.string(),
  })
  .openapi('FeedbackJoined');

export function feedbackRoutes(tools: AdminTools): void {
  const { change, platform } = tools;
  tools.describe({
    method: 'post',
    path: '/feedback',
    summary: 'Report the outcome of a request',
    description:
      'A request can be named while FEEDBACK_TTL lasts, if its model has a split, a canary or a shadow and it names no version. Of several reports the last counts.',
    request: {
      body: { required: true, content: { 'application/json': { schema: feedbackBody } } },
    },
    responses: {
      200: json('The arm that it was counted for', joinedSchema),
      ...errorResponses(['INVALID_ARGUMENT', 'NOT_FOUND', 'STORE_UNAVAILABLE']),
    },
  });

  tools.managed(
    '/feedback',
    (c) =>
      change(c, feedbackBody, async ({ request_id: requestId, truth, reward }) => {
        const { model, version, arm } = await platform.traffic.report({ requestId, truth, reward });
        return c.json({ request_id: requestId, model, model_version: version, arm });
      }),
    'POST',
  );
}
