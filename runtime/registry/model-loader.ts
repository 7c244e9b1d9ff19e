/** @module Loads the versions of a model. */

import type { Engine } from '../../native/index.ts';
import type { Config } from '../config/index.ts';
import { redact, ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { loadVersion, type ModelVersion, type VersionSource } from '../model.ts';
import type { ModelFolder, VersionFolder } from '../repository/index.ts';
import type { Versions } from './parts.ts';

export class ModelLoader {
  readonly #config: Config;
  readonly #engine: Engine;
  readonly #log: Log;

  constructor(config: Config, engine: Engine, log: Log) {
    this.#config = config;
    this.#engine = engine;
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
    { name: model, config, settings }: ModelFolder,
    { version, path, bytes, notes }: VersionFolder,
  ): Promise<ModelVersion | ServeError> {
    if (config instanceof ServeError) return config;
    const { device, engineCache, batchSize } = this.#config;
    const source: VersionSource = {
      model,
      version,
      path,
      bytes,
      config,
      settings: { ...settings, notes: [...settings.notes, ...notes] },
      device: config.device ?? settings.device ?? device,
      engineCache,
      batchSize,
      notice: (sentence) => this.#log.warn({ model, version }, redact(sentence)),
    };
    return loadVersion(this.#engine, source).catch((error: ServeError) => error);
  }
}
