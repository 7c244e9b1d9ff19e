/** @module `/admin/models/{name}/versions`: the versions of a model, and how they are archived. */

import type { Runtime, VersionRecord } from '../../runtime/index.ts';
import { answer } from './answer.ts';
import { readChange } from './change.ts';
import { describeChange, describeList, describeRead, flag, versionSchema } from './openapi.ts';
import { isTextKey, readFlag, readPage, toPage } from './query.ts';
import type { AdminTools } from './tools.ts';

export function versionRoutes(tools: AdminTools): void {
  const { managed, runtime } = tools;
  const { catalog, followed } = tools.platform;
  describe(tools);
  const withReason = (record: VersionRecord) => withServing(runtime, record);

  managed('/admin/models/:name/versions', async (c) => {
    const { limit, after } = readPage(c, isTextKey);
    const versions = await catalog.versions(c.req.param('name')!, limit + 1, after?.[0]);
    return c.json(toPage(versions.map(withReason), limit, ({ version }) => [version]));
  });

  managed('/admin/models/:name/versions/:version', async (c) => {
    const { name, version } = c.req.param() as { name: string; version: string };
    return answer(c, withReason(await catalog.version(name, version)));
  });

  managed(
    '/admin/models/:name/versions/:version',
    async (c) => {
      const { name, version } = c.req.param() as { name: string; version: string };
      const author = readChange(runtime, c);
      const purge = readFlag(c, 'purge');
      const record = await catalog.archive(name, version, purge, author, author.expected);
      await followed();
      return answer(c, record);
    },
    'DELETE',
  );
}

/** A version with the reason why this process does not serve it as its owner may expect, if there is no other. */
export function withServing(runtime: Runtime, record: VersionRecord): VersionRecord {
  const { name, version, reason } = record;
  return { ...record, reason: reason ?? runtime.whyNotServed(name, version) ?? null };
}

function describe(tools: AdminTools): void {
  const path = '/admin/models/{name}/versions';
  describeList(tools, path, 'The versions of a model, by name', versionSchema);
  describeRead(tools, `${path}/{version}`, 'A version', versionSchema);
  describeChange(tools, {
    ...{ method: 'delete', path: `${path}/{version}`, answer: versionSchema },
    summary: 'Archive a version; its name is never used again',
    query: { purge: flag('Whether its files are deleted, unless another version has the same') },
  });
}
