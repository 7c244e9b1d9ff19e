/**
 * The models that are served, and how they are loaded, replaced and unloaded while requests run.
 *
 * ```
 * Repository     which models there are; another source of models has to offer its scan() and find()
 * ModelLoader    from the files of a model to its loaded versions
 * ServedModels   what is served, what is being loaded or unloaded, and the states of the index
 * Registry       changes of state: prepared here, committed or abandoned by the bus
 * ```
 *
 * @module
 */

import { type Engine, quote } from '../../native/index.ts';
import type { PreparedChange, StateChange } from '../bus.ts';
import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { mapInOrder } from '../map-in-order.ts';
import type { ModelVersion } from '../model.ts';
import {
  fingerprint,
  type LoadOverride,
  type ModelFolder,
  mayHold,
  Repository,
  type Scan,
  type Skipped,
} from '../repository/index.ts';
import { type Random, RouteTable } from '../routing/route-table.ts';
import type { ModelStatus, ServedModel } from '../served-model.ts';
import { SharedWork } from '../shared-work.ts';
import { ModelLoader } from './model-loader.ts';
import { type IndexEntry, ServedModels } from './served-models.ts';
import { checkDefaultModel, checkDevice, modelsAtStart } from './start.ts';

export type { IndexEntry } from './served-models.ts';

/** Maximum models whose files are read at the same time. */
const MAX_AT_ONCE = 8;

export class Registry {
  readonly #config: Config;
  /** Where it logs what it finds in the repository. */
  readonly #notices: Log;
  readonly #repository: Repository;
  readonly #loader: ModelLoader;
  readonly #served: ServedModels;
  /** The models that are served, and which of their versions a request goes to. */
  readonly routes: RouteTable;
  /** The names of the models on disk, for the index: many requests may need them at once, and reading takes long. */
  readonly #namesOnDisk = new SharedWork(() => this.#readNames());
  /** The entries of the repository that are not models, as of the last read. */
  #skipped: readonly Skipped[] = [];

  private constructor(
    config: Config,
    repository: Repository,
    engine: Engine,
    random: Random,
    log: Log,
    notices: Log,
  ) {
    this.#config = config;
    this.#notices = notices;
    this.#repository = repository;
    this.#loader = new ModelLoader(config, engine, notices);
    this.routes = new RouteTable(random, config.defaultModel);
    this.#served = new ServedModels(this.routes, log);
  }

  /**
   * Loads the models that `MODEL_CONTROL_MODE` serves from the start: all of them, or with `explicit` those
   * of `LOAD_MODEL`. A version that fails to load does not affect the others.
   *
   * @param notices Where it logs what it finds in the repository; its own errors go to `log`.
   * @throws {ServeError} `INVALID_CONFIG` if the repository, or a model that a setting names, does not
   * exist, or `DEVICE` cannot be used.
   */
  static async open(
    config: Config,
    engine: Engine,
    random: Random,
    log: Log,
    notices: Log = log,
  ): Promise<Registry> {
    const repository = await Repository.open(config.modelPath);
    const registry = new Registry(config, repository, engine, random, log, notices);
    const scan = await repository.scan();
    registry.#noteSkipped(scan);
    checkDefaultModel(config, scan);
    for (const folder of modelsAtStart(config, scan)) {
      const origin = await fingerprint(folder);
      const model = await registry.#loader.load(folder);
      registry.#served.serve({ folder, origin, model });
    }
    checkDevice(config, registry.#served.all());
    return registry;
  }

  status(): ModelStatus[] {
    return this.#served.all().map((model) => model.status());
  }

  /** The entries of the repository that are not served, with the reasons. */
  skipped(): readonly Skipped[] {
    return this.#skipped;
  }

  /** Whether every version of every served model takes requests, and `ready()`. */
  complete(): boolean {
    return this.ready() && this.#served.all().every((model) => model.isComplete());
  }

  /**
   * Whether any version takes requests. If clients load the models, a server without models is ready,
   * because it waits for loads.
   */
  ready(): boolean {
    const models = this.#served.all();
    if (models.length === 0) return this.#config.modelControlMode === 'explicit';
    return models.some((model) => model.isReady());
  }

  /** How long a request would wait for the version that has the most to do, by measured costs. */
  expectedWaitMs(): number {
    return Math.max(0, ...this.loaded().map((version) => version.stats().expectedWaitMs));
  }

  loaded(): ModelVersion[] {
    return this.#served.versions();
  }

  /** Every model of the repository, served or not, as it is when the call is made. */
  async index(): Promise<IndexEntry[]> {
    const onDisk = await this.#namesOnDisk.run();
    const names = new Set([...onDisk, ...this.#served.all().map((model) => model.name)]);
    return [...names].toSorted().flatMap((name) => this.#served.entries(name));
  }

  /**
   * Prepares a change, which takes effect when it is committed. The caller prepares one at a time.
   *
   * @throws {ServeError} `MODEL_NOT_FOUND`; `INVALID_CONFIG` for an override that cannot be used; `INTERNAL`
   * if the repository itself cannot be read.
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

  /** A value that is equal in two registries exactly when they serve the same. */
  state(): string {
    return this.#served.state();
  }

  /** Unloads every model, each when its last request has ended. */
  close(): Promise<void> {
    return this.#served.close();
  }

  /** Loads a model, or loads it again. Its current versions respond until then, and stay if a new one fails. */
  async #prepareLoad(name: string, override: LoadOverride | undefined): Promise<PreparedChange> {
    const folder = await this.#repository.find(name, override);
    if (folder !== undefined) return this.#prepareFolder(folder, await fingerprint(folder));
    throw new ServeError('MODEL_NOT_FOUND', `The repository has no model ${quote(name)}.`);
  }

  /** Unloads a model. Requests that it has taken still get their responses. */
  async #prepareUnload(name: string): Promise<PreparedChange> {
    const model = this.#served.get(name);
    if (model === undefined) {
      throw new ServeError('MODEL_NOT_FOUND', `The model ${quote(name)} is not loaded.`);
    }
    const commit = () => {
      this.#served.unload(model);
      this.#notices.info({ model: name }, 'model unloaded');
    };
    return { result: name, commit, abandon() {} };
  }

  /** Loads and unloads what has changed in the repository since it was last read. */
  async #prepareRefresh(): Promise<PreparedChange> {
    const scan = await this.#repository.scan();
    const origins = await mapInOrder(scan.models, MAX_AT_ONCE, fingerprint);
    const loads: PreparedChange[] = [];
    for (const [i, folder] of scan.models.entries()) {
      const origin = origins[i]!;
      if (this.#served.isFrom(folder.name, origin)) continue;
      loads.push(await this.#prepareFolder(folder, origin));
    }
    return {
      result: JSON.stringify([scan.skipped, loads.map(({ result }) => result)]),
      failure: loads.find((load) => load.failure !== undefined)?.failure,
      commit: () => {
        this.#noteSkipped(scan);
        for (const { commit } of loads) commit();
        this.#removeAbsent(scan);
      },
      abandon() {
        for (const { abandon } of loads) abandon();
      },
    };
  }

  /** Loads the model of a folder. Never rejects: a version that fails is part of the result. */
  async #prepareFolder(folder: ModelFolder, origin: string): Promise<PreparedChange> {
    const { name } = folder;
    const model = await this.#served.loading(name, this.#loader.load(folder));
    return {
      result: JSON.stringify([name, origin, model.contents]),
      failure: model.failure(),
      commit: () => this.#logLoad(model, this.#served.serve({ folder, origin, model })),
      abandon: () => this.#served.discard(model),
    };
  }

  #logLoad(loaded: ServedModel, isServed: boolean): void {
    const model = loaded.name;
    const versions = loaded.loaded().map(({ version }) => version);
    const reason = loaded.failure()?.message;
    if (reason === undefined) this.#notices.info({ model, versions }, 'model loaded');
    // The reason is in the index too, and the old versions are still served.
    else if (!isServed) this.#notices.warn({ model, reason }, 'change not served');
    else if (versions.length > 0) this.#notices.warn({ model, versions, reason }, 'model loaded');
    else this.#notices.error({ model, reason }, 'model not served');
  }

  #removeAbsent(scan: Scan): void {
    const present = new Set(scan.models.map(({ name }) => name));
    for (const model of this.#served.all()) {
      if (!present.has(model.name)) this.#removeUnlessSkipped(model, scan);
    }
  }

  /** Unloads a model whose folder is gone. It stays if the folder exists but cannot be read or is being written. */
  #removeUnlessSkipped(model: ServedModel, { skipped }: Scan): void {
    const skip = skipped.find(({ name }) => mayHold(name, model.name));
    if (skip === undefined) {
      this.#served.remove(model);
      this.#notices.info({ model: model.name }, 'model unloaded');
    } else this.#served.keep(model, skip.reason);
  }

  /** Logs what is skipped, once for each name and reason. */
  #noteSkipped({ skipped }: Scan): void {
    for (const { name, reason } of skipped) {
      const known = this.#skipped.some((each) => each.name === name && each.reason === reason);
      if (!known) this.#notices.info({ name, reason }, 'skipped');
    }
    this.#skipped = skipped;
  }

  /** Empty while the repository cannot be read, so that the index still lists the served models. */
  async #readNames(): Promise<readonly string[]> {
    try {
      const { models } = await this.#repository.scan();
      return models.map(({ name }) => name);
    } catch {
      return [];
    }
  }
}
