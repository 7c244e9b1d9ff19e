/** @module `/admin/models/{name}/labels`: names such as `stable` that stand for versions. */

import { z } from '@hono/zod-openapi';
import { answer } from './answer.ts';
import { readChange } from './change.ts';
import { describeChange, describeList, describeRead, labelSchema } from './openapi.ts';
import { isTextKey, readPage, toPage } from './query.ts';
import type { AdminTools } from './tools.ts';

const labelBody = z.strictObject({ version: z.string() });

export function labelRoutes(tools: AdminTools): void {
  const { managed, change, runtime } = tools;
  const { catalog, followed } = tools.platform;
  describe(tools);

  managed('/admin/models/:name/labels', async (c) => {
    const { limit, after } = readPage(c, isTextKey);
    const labels = await catalog.labels(c.req.param('name')!, limit + 1, after?.[0]);
    return c.json(toPage(labels, limit, ({ label }) => [label]));
  });

  managed('/admin/models/:name/labels/:label', async (c) => {
    const { name, label } = c.req.param() as { name: string; label: string };
    return answer(c, await catalog.label(name, label));
  });

  managed(
    '/admin/models/:name/labels/:label',
    (c) =>
      change(c, labelBody, async ({ version }, author) => {
        const { name, label } = c.req.param() as { name: string; label: string };
        const record = await catalog.setLabel(name, label, version, author, author.expected);
        await followed();
        return answer(c, record);
      }),
    'PUT',
  );

  managed(
    '/admin/models/:name/labels/:label',
    async (c) => {
      const { name, label } = c.req.param() as { name: string; label: string };
      const author = readChange(runtime, c);
      const record = await catalog.deleteLabel(name, label, author, author.expected);
      await followed();
      return c.json(record);
    },
    'DELETE',
  );
}

function describe(tools: AdminTools): void {
  const path = '/admin/models/{name}/labels';
  describeList(tools, path, 'The labels of a model', labelSchema);
  describeRead(tools, `${path}/{label}`, 'A label', labelSchema);
  describeChange(tools, {
    ...{ method: 'put', path: `${path}/{label}`, body: labelBody, answer: labelSchema },
    summary: 'Let a label name a version',
  });
  describeChange(tools, {
    ...{ method: 'delete', path: `${path}/{label}`, answer: labelSchema },
    summary: 'Delete a label',
  });
}
