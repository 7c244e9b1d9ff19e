/** @module `/admin/models`: the models, the policy for their versions, promotion and rollback. */

import { z } from '@hono/zod-openapi';
import { checkStorable } from '../../runtime/index.ts';
import { answer } from './answer.ts';
import { describeChange, describeList, describeRead, modelSchema } from './openapi.ts';
import { isTextKey, readPage, toPage } from './query.ts';
import type { AdminTools } from './tools.ts';

const policyBody = z.strictObject({
  version_policy: z.union([
    z.literal('all'),
    z.strictObject({ latest: z.int().min(1).max(10_000) }),
    z.strictObject({ specific: z.array(z.string()).min(1).max(1000) }),
  ]),
});
const promoteBody = z.strictObject({ version: z.string() });
const emptyBody = z.strictObject({});

export function modelRoutes(tools: AdminTools): void {
  const { managed, change } = tools;
  const { catalog, followed } = tools.platform;
  describe(tools);

  managed('/admin/models', async (c) => {
    const { limit, after } = readPage(c, isTextKey);
    const models = await catalog.models(limit + 1, after?.[0]);
    return c.json(toPage(models, limit, ({ name }) => [name]));
  });

  managed('/admin/models/:name', async (c) => answer(c, await catalog.model(c.req.param('name')!)));

  managed(
    '/admin/models/:name',
    (c) =>
      change(c, policyBody, async ({ version_policy: policy }, author) => {
        const name = c.req.param('name')!;
        checkStorable('version_policy', policy);
        const model = await catalog.setVersionPolicy(name, policy, author, author.expected);
        await followed();
        return answer(c, model);
      }),
    'PUT',
  );

  managed(
    '/admin/models/:name/promote',
    (c) =>
      change(c, promoteBody, async ({ version }, author) => {
        const name = c.req.param('name')!;
        const model = await catalog.promote(name, version, author, author.expected);
        await followed();
        return answer(c, model);
      }),
    'POST',
  );

  managed(
    '/admin/models/:name/rollback',
    (c) =>
      change(c, emptyBody, async (_body, author) => {
        const model = await catalog.rollback(c.req.param('name')!, author, author.expected);
        await followed();
        return answer(c, model);
      }),
    'POST',
  );
}

function describe(tools: AdminTools): void {
  const path = '/admin/models/{name}';
  describeList(tools, '/admin/models', 'The models, by name', modelSchema);
  describeRead(tools, path, 'A model with its versions and labels', modelSchema);
  describeChange(tools, {
    ...{ method: 'put', path, body: policyBody, answer: modelSchema },
    summary: 'Choose which versions are served; those that a label or the route names always are',
  });
  describeChange(tools, {
    ...{ method: 'post', path: `${path}/promote`, body: promoteBody, answer: modelSchema },
    summary: 'Move the label stable and all requests to a version',
  });
  describeChange(tools, {
    ...{ method: 'post', path: `${path}/rollback`, body: emptyBody, answer: modelSchema },
    summary: 'Move the label stable and all requests back to the version that stable named before',
  });
}
