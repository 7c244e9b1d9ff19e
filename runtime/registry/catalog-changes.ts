/** @module Changes of what is registered: loaded beside what is served, and committed or abandoned as one. */

import type { PreparedChange } from '../bus.ts';
import type { CatalogSnapshot } from '../catalog/snapshot.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { tritonSchema } from '../repository/index.ts';
import { CatalogLoader } from './catalog-loader.ts';
import type { ModelLoader } from './model-loader.ts';
import {
  type CatalogPart,
  catalogVersions,
  contentsOf,
  failureOf,
  loadedOf,
  type Versions,
} from './parts.ts';
import type { ServedModels } from './served-models.ts';

/** A change of the registered versions of a model. */
interface CatalogChange {
  readonly name: string;
  /** Undefined if the catalog says nothing of the model any more. */
  readonly part: CatalogPart | undefined;
  /** The versions that were loaded for the change. */
  readonly added: Versions;
}

export class CatalogChanges {
  readonly #served: ServedModels;
  readonly #loader: CatalogLoader;
  readonly #log: Log;

  constructor(served: ServedModels, loader: ModelLoader, log: Log) {
    this.#served = served;
    this.#loader = new CatalogLoader(loader, tritonSchema());
    this.#log = log;
  }

  /**
   * Loads and unloads what has changed in the catalog. Versions that are loaded already stay as they are, so that a change of
   * labels or routes loads nothing.
   *
   * @param names The models that may have changed. Default: all that the catalog has or had.
   * @param again Whether versions that could not be loaded are tried again.
   */
  async prepare(
    { models }: CatalogSnapshot,
    names: readonly string[] = models.map(({ name }) => name).concat(this.#served.inCatalog()),
    again = false,
  ): Promise<PreparedChange> {
    const wanted = new Map(models.map((model) => [model.name, model]));
    const changes: CatalogChange[] = [];
    for (const name of new Set(names)) {
      const model = wanted.get(name);
      const current = this.#served.parts(name).catalog;
      if (!again && JSON.stringify(model) === JSON.stringify(current?.model)) continue;
      const part = model && (await this.#loader.load(model, current, again));
      changes.push({ name, part, added: addedVersions(part, current) });
    }
    return {
      result: JSON.stringify(
        changes.map(({ name, part }) => [name, part?.model, contentsOf(catalogVersions(part))]),
      ),
      failure: changes.map(({ added }) => failureOf(added)).find((each) => each !== undefined),
      commit: () => {
        for (const change of changes) this.#commit(change);
      },
      abandon: () => {
        for (const { name, added } of changes) this.#served.discard(name, loadedOf(added));
      },
    };
  }

  #commit({ name, part, added }: CatalogChange): void {
    this.#served.serveCatalog(name, part);
    for (const [version, loaded] of added) {
      if (loaded instanceof ServeError) {
        this.#log.error({ model: name, version, reason: loaded.message }, 'version not served');
        continue;
      }
      this.#log.info({ model: name, version }, 'version loaded');
      const reason = this.#served.whyPassedOver(name, version);
      if (reason !== undefined) this.#log.warn({ model: name, version, reason }, 'not the default');
    }
  }
}

/** The versions of a part that `current` does not have. */
function addedVersions(part: CatalogPart | undefined, current: CatalogPart | undefined): Versions {
  const known = new Set([...(current?.entries.values() ?? [])].map(({ loaded }) => loaded));
  return new Map([...catalogVersions(part)].filter(([, loaded]) => !known.has(loaded)));
}
