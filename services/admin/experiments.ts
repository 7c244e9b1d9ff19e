/** @module `/admin/models/{name}/experiments`: how the versions of a model compare. */

import { z } from '@hono/zod-openapi';
import { describeRead } from './openapi.ts';
import type { AdminTools } from './tools.ts';

const number = z.number().nullable();

const experimentSchema = z
  .object({
    arms: z.array(
      z.object({
        arm: z.string().openapi({ description: 'stable, canary, shadow, or the version' }),
        version: z.string(),
        requests: z.int(),
        errors: z.int().openapi({ description: 'Requests that the model failed' }),
        p50_ms: number,
        p95_ms: number,
        p99_ms: number,
        mean_confidence: number,
        agreement: number.openapi({
          description: 'Of the shadow: share of the compared requests in which it agrees',
        }),
        max_abs_difference: number,
        feedback: z.object({ count: z.int(), accuracy: number, mean_reward: number }),
      }),
    ),
    pairs: z.array(
      z.object({
        a: z.string(),
        b: z.string(),
        metric: z.enum(['error_rate', 'p99_ratio', 'accuracy', 'mean_reward']),
        difference: z.number().openapi({ description: 'a minus b; of p99_ratio the quotient' }),
        interval_95: z.array(z.number()).length(2),
        p_value: z.number().openapi({ description: 'Two-sided, for a single look at the data' }),
        sentence: z.string(),
      }),
    ),
    disagreements: z.array(
      z.object({
        request_id: z.string(),
        version: z.string(),
        shadow: z.string(),
        max_abs_difference: number,
        outputs: z.unknown(),
        shadow_outputs: z.unknown(),
        inputs: z.unknown(),
        at: z.string(),
      }),
    ),
  })
  .openapi('Experiment');

export function experimentRoutes(tools: AdminTools): void {
  const summary = 'The arms of the present route, and how they compare';
  describeRead(tools, '/admin/models/{name}/experiments', summary, experimentSchema);

  tools.managed('/admin/models/:name/experiments', async (c) =>
    c.json(await tools.platform.traffic.experiments(c.req.param('name')!)),
  );
}
