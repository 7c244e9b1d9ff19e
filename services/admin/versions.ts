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
  const served = (record: VersionRecord) => withServing(runtime, record);

  managed('/admin/models/:name/versions', async (c) => {
    const { limit, after } = readPage(c, isTextKey);
    const versions = await catalog.versions(c.req.param('name')!, limit + 1, after?.[0]);
    return c.json(toPage(versions.map(served), limit, ({ version }) => [version]));
  });

  managed('/admin/models/:name/versions/:version', async (c) => {
    const { name, version } = c.req.param() as { name: string; version: string };
    return answer(c, served(await catalog.version(name, version)));
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

/** A version, and what this process knows of it. */
interface ServedVersion extends VersionRecord {
  /** What operators should know; left out if there is nothing. */
  readonly notes?: readonly string[];
}

/** Adds the notes, and if there is no other reason, why this process does not serve the version as its owner may expect. */
export function withServing(runtime: Runtime, record: VersionRecord): ServedVersion {
  const { name, version, reason } = record;
  const notes = runtime.notesOf(name, version);
  return {
    ...record,
    reason: reason ?? runtime.whyNotServed(name, version) ?? null,
    ...(notes.length === 0 ? {} : { notes }),
  };
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
