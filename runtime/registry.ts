/** @module The models that are served, and how they are loaded, replaced and unloaded while requests run. */

import { type Engine, quote } from '../native/index.ts';
import type { PreparedChange, StateChange } from './bus.ts';
import type { Config } from './config/index.ts';
import { redact, ServeError } from './errors.ts';
import type { Log } from './log.ts';
import { loadVersion, type ModelVersion } from './model.ts';
import {
  fingerprint,
  type LoadOverride,
  type ModelFolder,
  mayHold,
  Repository,
  type Scan,
  type Skipped,
} from './repository/index.ts';
import { type Random, type Route, RouteTable } from './routing/route-table.ts';
import { type ModelStatus, ServedModel } from './served-model.ts';

/**
 * An entry of the repository's index. A model that was never loaded has no version. A version that is ready
 * has a reason where the model has changed on disk and the change could not be served.
 */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: 'READY' | 'UNAVAILABLE' | 'LOADING' | 'UNLOADING';
  readonly reason?: string;
}

export class Registry {
  readonly #config: Config;
  readonly #engine: Engine;
  readonly #log: Log;
  readonly #repository: Repository;
  /** The models that are served, and which of their versions a request goes to. */
  readonly routes: RouteTable;
  /** The fingerprint of the files that each served model was loaded from. */
  readonly #loadedFrom = new Map<string, string>();
  /** Models that are being loaded or unloaded, and those that a client has unloaded. */
  readonly #moving = new Map<string, 'LOADING' | 'UNLOADING'>();
  readonly #unloaded = new Set<string>();
  /** Why a change on disk is not served, for models whose old versions are still served. */
  readonly #refused = new Map<string, string>();
  /** What the repository holds beside models, as it was last read. */
  #skipped: readonly Skipped[] = [];
  /** Why the last poll failed; '' where it did not. */
  #pollFailure = '';
  /** Replaced models, each until its last request has ended. */
  readonly #leaving = new Set<Promise<void>>();

  private constructor(config: Config, engine: Engine, random: Random, log: Log) {
    this.#config = config;
    this.#engine = engine;
    this.#log = log;
    this.routes = new RouteTable(random, config.defaultModel);
    this.#repository = new Repository(config.modelPath);
  }

  /**
   * Loads the models that `MODEL_CONTROL_MODE` serves from the start: all of them, or with `explicit` those
   * of `LOAD_MODEL`. A version that fails to load does not affect the others.
   *
   * @throws {ServeError} `INVALID_CONFIG` when the repository, or a model that a setting names, does not
   * exist, or `DEVICE` cannot be used.
   */
  static async open(config: Config, engine: Engine, random: Random, log: Log): Promise<Registry> {
    const registry = new Registry(config, engine, random, log);
    const scan = registry.#repository.scan();
    registry.#noteSkipped(scan);
    for (const folder of registry.#selected(scan)) {
      registry.#loadedFrom.set(folder.name, fingerprint(folder));
      registry.#install(folder, await registry.#build(folder));
    }
    registry.#checkDefault(scan);
    registry.#checkDevice();
    return registry;
  }

  status(): ModelStatus[] {
    return this.routes.models().map((model) => model.status());
  }

  /** What the repository holds that is not served, with the reason. */
  skipped(): readonly Skipped[] {
    return this.#skipped;
  }

  /** Whether every version of every served model takes requests, and `ready()`. */
  complete(): boolean {
    return this.ready() && this.routes.models().every((model) => model.isComplete());
  }

  /**
   * Whether any version takes requests. Where clients load the models, a server without any is ready,
   * because it waits for them.
   */
  ready(): boolean {
    const models = this.routes.models();
    if (models.length === 0) return this.#config.modelControlMode === 'explicit';
    return models.some((model) => model.isReady());
  }

  /** How long a request would wait for the version that has the most to do, by measured costs. */
  expectedWaitMs(): number {
    return Math.max(0, ...this.loaded().map((version) => version.stats().expectedWaitMs));
  }

  loaded(): ModelVersion[] {
    return this.routes.models().flatMap((model) => model.loaded());
  }

  /** Every model of the repository, served or not. */
  index(): IndexEntry[] {
    const served = this.routes.models().map((model) => model.name);
    const names = new Set([...this.#namesOnDisk(), ...served]);
    return [...names].toSorted().flatMap((name) => this.#entries(name));
  }

  /**
   * Prepares a change, which shows when it is committed. The caller prepares one at a time.
   *
   * @throws {ServeError} `MODEL_NOT_FOUND`, or `INVALID_CONFIG` for an override that cannot be used.
   */
  prepare(change: StateChange): Promise<PreparedChange> {
    switch (change.kind) {
      case 'load':
        return this.#prepareLoad(change.name, change.override);
      case 'unload':
        return this.#prepareUnload(change.name);
      case 'refresh':
        return this.#prepareRefresh();
    }
  }

  /** A value that two registries have in common exactly when they serve the same. */
  state(): string {
    const models = this.routes
      .models()
      .map(({ name, contents }) => [name, contents, this.#loadedFrom.get(name)]);
    return JSON.stringify(models.toSorted());
  }

  async close(): Promise<void> {
    for (const model of this.routes.models()) this.#remove(model);
    await Promise.all(this.#leaving);
  }

  /** Loads a model, or loads it again. Its current versions respond until then, and stay where a new one fails. */
  async #prepareLoad(name: string, override: LoadOverride | undefined): Promise<PreparedChange> {
    const folder = this.#repository.find(name, override);
    if (folder === undefined) {
      throw new ServeError('MODEL_NOT_FOUND', `The repository has no model ${quote(name)}.`);
    }
    return this.#prepareFolder(folder);
  }

  /** Unloads a model. Requests that it has taken still get their responses. */
  async #prepareUnload(name: string): Promise<PreparedChange> {
    const model = this.routes.get(name);
    if (model === undefined) {
      throw new ServeError('MODEL_NOT_FOUND', `The model ${quote(name)} is not loaded.`);
    }
    const commit = () => {
      this.#remove(model);
      this.#unloaded.add(name);
    };
    return { result: name, commit, abandon() {} };
  }

  /** Loads and unloads what has changed in the repository since it was last read. Never rejects. */
  async #prepareRefresh(): Promise<PreparedChange> {
    let scan: Scan;
    try {
      scan = this.#repository.scan();
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#pollFailure) this.#log.error({ reason }, 'poll failed');
      this.#pollFailure = reason;
      return { result: reason, commit() {}, abandon() {} };
    }
    this.#pollFailure = '';
    const changed = scan.models.filter(
      (folder) => this.#loadedFrom.get(folder.name) !== fingerprint(folder),
    );
    const loads: PreparedChange[] = [];
    for (const folder of changed) loads.push(await this.#prepareFolder(folder));
    return {
      result: JSON.stringify([scan.skipped, loads.map(({ result }) => result)]),
      commit: () => {
        this.#noteSkipped(scan);
        for (const load of loads) load.commit();
        for (const [i, { failure }] of loads.entries()) {
          const about = { model: changed[i]!.name, reason: failure?.message };
          // The reason is in the index too, and the old versions are still served.
          if (failure !== undefined) this.#log.warn(about, 'change not served');
        }
        this.#withdrawAbsent(scan);
      },
      abandon() {
        for (const load of loads) load.abandon();
      },
    };
  }

  async #prepareFolder(folder: ModelFolder): Promise<PreparedChange> {
    const { name } = folder;
    const origin = fingerprint(folder);
    this.#moving.set(name, 'LOADING');
    const model = await this.#build(folder).finally(() => this.#moving.delete(name));
    return {
      result: JSON.stringify([name, origin, model.contents]),
      failure: model.failure(),
      commit: () => {
        this.#loadedFrom.set(name, origin);
        this.#replace(folder, model);
      },
      abandon: () => this.#leave(model),
    };
  }

  #withdrawAbsent(scan: Scan): void {
    const present = new Set(scan.models.map((folder) => folder.name));
    for (const model of this.routes.models()) {
      if (!present.has(model.name)) this.#withdraw(model, scan);
    }
  }

  /** Unloads a model that is gone. One that is there, but cannot be read or is being written, stays. */
  #withdraw(model: ServedModel, { skipped }: Scan): void {
    const skip = skipped.find(({ name }) => mayHold(name, model.name));
    if (skip === undefined) {
      this.#remove(model);
    } else {
      this.#refused.set(model.name, skip.reason);
      this.#loadedFrom.delete(model.name);
    }
  }

  /** Logs what is skipped, once for each name and reason. */
  #noteSkipped({ skipped }: Scan): void {
    for (const { name, reason } of skipped) {
      const known = this.#skipped.some((each) => each.name === name && each.reason === reason);
      if (!known) this.#log.info({ name, reason }, 'skipped');
    }
    this.#skipped = skipped;
  }

  /** The models on disk; none while the repository cannot be read, so that the served ones are still listed. */
  #namesOnDisk(): readonly string[] {
    try {
      return this.#repository.scan().models.map(({ name }) => name);
    } catch {
      return [];
    }
  }

  #selected({ models, skipped }: Scan): readonly ModelFolder[] {
    const { modelControlMode, loadModels } = this.#config;
    if (modelControlMode !== 'explicit' || loadModels.includes('*')) return models;
    return loadModels.map((name) => {
      const found = models.find((folder) => folder.name === name);
      if (found !== undefined) return found;
      throw new ServeError(
        'INVALID_CONFIG',
        `LOAD_MODEL names '${name}', which the repository does not have${whyNot(name, skipped)}; write the names of models in it.`,
      );
    });
  }

  /** Stops the start where `DEVICE` names a GPU that cannot be used and nothing is served. @throws {ServeError} */
  #checkDevice(): void {
    const { device } = this.#config;
    if (device === 'cpu' || device === 'auto' || this.loaded().length > 0) return;
    for (const model of this.routes.models()) {
      const failure = model.failure();
      const cause = failure?.cause;
      if (cause instanceof Error && 'code' in cause && cause.code === 'FAILED_PRECONDITION') {
        throw new ServeError(
          'INVALID_CONFIG',
          `DEVICE=${device} cannot be used. ${failure?.message}`,
        );
      }
    }
  }

  /** Loads every version. A version that fails is represented by its error. */
  async #build(folder: ModelFolder): Promise<ServedModel> {
    const { device, engineCache, batchSize } = this.#config;
    const versions = new Map<string, ModelVersion | ServeError>();
    for (const { version, path, bytes, notes } of folder.versions) {
      const { name: model, config } = folder;
      const settings = { ...folder.settings, notes: [...folder.settings.notes, ...notes] };
      if (config instanceof ServeError) {
        versions.set(version, config);
        continue;
      }
      const source = {
        model,
        version,
        path,
        bytes,
        config,
        settings,
        device: config.device ?? settings.device ?? device,
        engineCache,
        batchSize,
        notice: (sentence: string) => this.#log.warn({ model, version }, redact(sentence)),
      };
      const loaded = await loadVersion(this.#engine, source).catch((error: ServeError) => error);
      versions.set(version, loaded);
    }
    return new ServedModel(folder, versions);
  }

  #install(folder: ModelFolder, model: ServedModel): void {
    const old = this.routes.get(model.name);
    this.routes.set(model, routeOf(folder));
    this.#unloaded.delete(model.name);
    if (old !== undefined) this.#leave(old);
  }

  /** Serves the new model instead of the old one, which stays where it works and the new one does not. */
  #replace(folder: ModelFolder, model: ServedModel): void {
    const { name } = model;
    const failure = model.failure();
    const old = this.routes.get(name);
    this.#refused.delete(name);
    if (failure === undefined || old === undefined || old.loaded().length === 0) {
      this.#install(folder, model);
    } else {
      this.#refused.set(name, failure.message);
      this.#leave(model);
    }
  }

  #remove(model: ServedModel): void {
    this.routes.delete(model.name);
    this.#loadedFrom.delete(model.name);
    this.#refused.delete(model.name);
    this.#leave(model);
  }

  /** Unloads a model as soon as its last request has ended. */
  #leave(model: ServedModel): void {
    const { name } = model;
    this.#moving.set(name, 'UNLOADING');
    const gone = Promise.all(model.loaded().map((version) => version.close())).then(() => {
      this.#leaving.delete(gone);
      if (this.#moving.get(name) === 'UNLOADING') this.#moving.delete(name);
    });
    this.#leaving.add(gone);
  }

  #entries(name: string): IndexEntry[] {
    const model = this.routes.get(name);
    const moving = this.#moving.get(name);
    if (model === undefined) {
      if (moving !== undefined) return [{ name, state: moving }];
      return [
        this.#unloaded.has(name) ? { name, state: 'UNAVAILABLE', reason: 'unloaded' } : { name },
      ];
    }
    return model.status().versions.map(({ version, state, reason }): IndexEntry => {
      if (moving === 'LOADING') return { name, version, state: moving };
      if (state !== 'ready') return { name, version, state: 'UNAVAILABLE', reason };
      const refused = this.#refused.get(name);
      const entry: IndexEntry = { name, version, state: 'READY' };
      if (refused === undefined) return entry;
      return { ...entry, reason: `A newer one cannot be served: ${refused}` };
    });
  }

  #checkDefault({ models, skipped }: Scan): void {
    const { defaultModel } = this.#config;
    if (defaultModel === undefined || models.some(({ name }) => name === defaultModel)) return;
    const names = models.map(({ name }) => `'${name}'`).join(', ') || 'none';
    throw new ServeError(
      'INVALID_CONFIG',
      `DEFAULT_MODEL names '${defaultModel}', which the repository does not have${whyNot(defaultModel, skipped)}; write one of ${names}.`,
    );
  }
}

/** Why the repository does not serve a model of that name, in parentheses; '' where nothing has the name. */
function whyNot(model: string, skipped: readonly Skipped[]): string {
  const skip = skipped.find(({ name }) => mayHold(name, model));
  return skip === undefined ? '' : ` (${skip.name}: ${skip.reason})`;
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The route that `model.json` declares. */
function routeOf({ config }: ModelFolder): Route {
  if (config instanceof ServeError) return { weights: {}, labels: {} };
  const { traffic, default_version, version_labels = {} } = config;
  const weights = traffic ?? (default_version === undefined ? {} : { [default_version]: 1 });
  return { weights, labels: version_labels };
}
