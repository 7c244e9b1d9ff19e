/** @module Loads the versions of a model. */

import type { Config } from '../config/index.ts';
import { redact, ServeError } from '../errors.ts';
import { type Loading, loadVersion } from '../load-version.ts';
import type { Log } from '../log.ts';
import type { ModelVersion } from '../model.ts';
import type { ModelFolder, VersionFolder } from '../repository/index.ts';
import { versionSource } from '../version-source.ts';
import type { Versions } from './parts.ts';

export class ModelLoader {
  readonly #config: Config;
  readonly #loading: Loading;
  readonly #log: Log;

  constructor(config: Config, loading: Loading, log: Log) {
    this.#config = config;
    this.#loading = loading;
    this.#log = log;
  }

  /** Loads every version of a model. Never rejects: a version that fails is represented by its error. */
  async load(folder: ModelFolder): Promise<Versions> {
    const versions = new Map<string, ModelVersion | ServeError>();
    for (const version of folder.versions) {
      versions.set(version.version, await this.#loadVersion(folder, version));
    }
    return versions;
  }

  async #loadVersion(
    folder: ModelFolder,
    version: VersionFolder,
  ): Promise<ModelVersion | ServeError> {
    const about = { model: folder.name, version: version.version };
    const notice = (sentence: string) => this.#log.warn(about, redact(sentence));
    try {
      const source = await versionSource(folder, version, this.#config);
      return await loadVersion(this.#loading, { ...source, notice });
    } catch (error) {
      if (error instanceof ServeError) return error;
      throw error;
    }
  }
}
