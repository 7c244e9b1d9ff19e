/** @module Loads the registered versions of a model, and keeps those that are loaded already. */

import type { CatalogModel, CatalogVersion } from '../catalog/snapshot.ts';
import { ServeError } from '../errors.ts';
import { readArtifact, type tritonSchema } from '../repository/index.ts';
import type { ModelLoader } from './model-loader.ts';
import type { CatalogEntry, CatalogPart } from './parts.ts';

export class CatalogLoader {
  readonly #loader: ModelLoader;
  readonly #schema: ReturnType<typeof tritonSchema>;

  constructor(loader: ModelLoader, schema: ReturnType<typeof tritonSchema>) {
    this.#loader = loader;
    this.#schema = schema;
  }

  /**
   * Loads the versions that `current` has not loaded, one after the other. Never rejects: a version that fails is
   * represented by its error.
   *
   * @param again Whether versions that could not be loaded are tried again.
   */
  async load(
    model: CatalogModel,
    current: CatalogPart | undefined,
    again = false,
  ): Promise<CatalogPart> {
    const entries = new Map<string, CatalogEntry>();
    for (const version of model.versions) {
      const known = current?.entries.get(version.version);
      entries.set(
        version.version,
        keep(known, version, again) ?? (await this.#load(model.name, version)),
      );
    }
    return { model, entries };
  }

  async #load(model: string, given: CatalogVersion): Promise<CatalogEntry> {
    const { version, path, config, failure } = given;
    const key = keyOf(given);
    if (failure !== undefined) {
      const loaded = new ServeError('MODEL_NOT_READY', failure);
      return { key, failure, folder: undefined, loaded };
    }
    try {
      const about = { model, version, folder: path, config };
      const folder = await readArtifact(about, this.#schema);
      const versions = await this.#loader.load(folder);
      return { key, failure, folder, loaded: versions.get(version)! };
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      return { key, failure, folder: undefined, loaded: error };
    }
  }
}

/** The entry that need not be loaded again, because nothing that it depends on has changed. */
function keep(
  known: CatalogEntry | undefined,
  version: CatalogVersion,
  again: boolean,
): CatalogEntry | undefined {
  if (known?.key !== keyOf(version)) return undefined;
  // What is loaded does not need its files any more.
  if (!(known.loaded instanceof ServeError)) return known;
  return known.failure === version.failure && !again ? known : undefined;
}

const keyOf = ({ digest, config }: CatalogVersion): string => JSON.stringify([digest, config]);
