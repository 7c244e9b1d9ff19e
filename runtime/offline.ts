/** @module Registers a version without a server, in the stores that the settings name. */

import { openArtifacts } from './artifacts/index.ts';
import {
  Catalog,
  checkRegistration,
  type Probe,
  type Registration,
  signatureChecker,
  type VersionRecord,
  Workspace,
} from './catalog/index.ts';
import type { Config } from './config/index.ts';
import type { Log } from './log.ts';
import { configOfVersions, Repository } from './repository/index.ts';
import { openStore } from './store/index.ts';
import { StoredRoutes } from './traffic/index.ts';

/**
 * Does what `POST /admin/models/{name}/versions` does. Servers that use the same stores follow.
 *
 * @param path Absolute path of a model file, a folder, or an archive of a folder.
 * @throws {ServeError} as `Catalog.register`; `INVALID_CONFIG` if a server has the embedded database open
 */
export async function registerVersion(
  config: Config,
  path: string,
  registration: Registration,
  { probe, log }: { readonly probe: Probe; readonly log: Log },
): Promise<VersionRecord> {
  checkRegistration(registration);
  const { models } = await (await Repository.open(config.modelPath)).scan();
  const repository = {
    names: () => models.map(({ name }) => name),
    versions: (model: string) =>
      models.find(({ name }) => name === model)?.versions.map(({ version }) => version),
    config: (model: string) => configOfVersions(models.find(({ name }) => name === model)),
  };
  const checkSignature = await signatureChecker(config);
  const store = await openStore(config, log);
  const artifacts = openArtifacts(config);
  const routes = new StoredRoutes(() => ({}));
  const catalog = new Catalog({ store, routes, repository, artifacts, probe, checkSignature, log });
  try {
    await using workspace = await Workspace.open({ ...config, allowLocalSources: true });
    const files = await workspace.fetch(path);
    const { version } = await catalog.register(files, registration, 'offline');
    return version;
  } finally {
    await catalog.close();
    artifacts.close();
    await store.close();
  }
}
