/** @module `/admin/events`: the audit log. */

import { z } from '@hono/zod-openapi';
import { checkStorable } from '../../runtime/index.ts';
import { describeList, eventSchema } from './openapi.ts';
import { isNumberKey, readPage, toPage } from './query.ts';
import type { AdminTools } from './tools.ts';

export function eventRoutes(tools: AdminTools): void {
  const { catalog } = tools.platform;
  describeList(tools, '/admin/events', 'What was changed, the newest first', eventSchema, {
    model: z.string().optional().openapi({ description: 'Only changes of this model' }),
  });

  tools.managed('/admin/events', async (c) => {
    const { limit, after } = readPage(c, isNumberKey);
    const model = c.req.query('model');
    if (model !== undefined) checkStorable('?model', model);
    const events = await catalog.events(model, limit + 1, after?.[0]);
    return c.json(toPage(events, limit, ({ id }) => [id]));
  });
}
