/**
 * The models that are served, and how they are loaded, replaced and unloaded while requests run.
 *
 * ```
 * Repository     which models are in MODEL_PATH
 * ModelLoader    from the files of a model to its loaded versions
 * CatalogLoader  the same for the versions that are registered
 * parts.ts       how the versions of both make one model
 * CatalogChanges changes of what is registered
 * ServedModels   what is served, what is being loaded or unloaded, and the states of the index
 * Registry       changes of state: prepared here, committed or abandoned by the bus
 * ```
 *
 * @module
 */

import { quote } from '../../native/index.ts';
import type { PreparedChange, StateChange } from '../bus.ts';
import type { RepositoryModels } from '../catalog/index.ts';
import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Loading } from '../load-version.ts';
import type { Log } from '../log.ts';
import { mapInOrder } from '../map-in-order.ts';
import type { ModelVersion } from '../model.ts';
import {
  configOfVersions,
  fingerprint,
  type LoadOverride,
  type ModelFolder,
  mayHold,
  Repository,
  type Scan,
  type Skipped,
} from '../repository/index.ts';
import { RouteTable } from '../routing/route-table.ts';
import type { Random } from '../routing/split.ts';
import type { ModelStatus } from '../served-model.ts';
import { SharedWork } from '../shared-work.ts';
import { CatalogChanges } from './catalog-changes.ts';
import { ModelLoader } from './model-loader.ts';
import { contentsOf, failureOf, loadedOf, type RepositoryPart } from './parts.ts';
import { type IndexEntry, ServedModels } from './served-models.ts';
import { checkDefaultModels, checkDevice, checkTransformerModel, modelsAtStart } from './start.ts';

export type { IndexEntry } from './served-models.ts';

/** Maximum models whose files are read at the same time. */
const MAX_AT_ONCE = 8;

export class Registry {
  readonly #config: Config;
  readonly #follows: boolean;
  /** Where it logs what it finds in the repository. */
  readonly #notices: Log;
  readonly #repository: Repository;
  readonly #loader: ModelLoader;
  readonly #catalog: CatalogChanges;
  readonly #served: ServedModels;
  /** The names of the models in the repository, served or not, when it was opened. */
  #atStart: readonly string[] = [];
  /** The models that are served, and which of their versions a request goes to. */
  readonly routes: RouteTable;
  /** The names of the models on disk, for the index: many requests may need them at once, and reading takes long. */
  readonly #namesOnDisk = new SharedWork(() => this.#readNames());
  /** The entries of the repository that are not models, as of the last read. */
  #skipped: readonly Skipped[] = [];

  private constructor(
    config: Config,
    repository: Repository,
    loading: Loading,
    random: Random,
    log: Log,
    notices: Log,
    follows: boolean,
  ) {
    this.#config = config;
    this.#follows = follows;
    this.#notices = notices;
    this.#repository = repository;
    this.#loader = new ModelLoader(config, loading, notices);
    this.routes = new RouteTable(random, {
      model: config.defaultModel,
      transformer: config.transformerModel,
    });
    this.#served = new ServedModels(this.routes, log);
    this.#catalog = new CatalogChanges(this.#served, this.#loader, notices);
  }

  /**
   * Loads the models that `MODEL_CONTROL_MODE` serves from the start: all of them, or with `explicit` those
   * of `LOAD_MODEL`. A version that fails to load does not affect the others.
   *
   * @param follows Whether registered models come to those of the repository, now or later.
   * @param notices Where it logs what it finds in the repository; its own errors go to `log`.
   * @throws {ServeError} `INVALID_CONFIG` if the repository, or a model that a setting names, does not
   * exist, or `DEVICE` cannot be used.
   */
  static async open(
    config: Config,
    loading: Loading,
    random: Random,
    log: Log,
    notices: Log = log,
    follows = false,
  ): Promise<Registry> {
    const repository = await Repository.open(config.modelPath);
    const registry = new Registry(config, repository, loading, random, log, notices, follows);
    const scan = await repository.scan();
    registry.#noteSkipped(scan);
    registry.#atStart = scan.models.map(({ name }) => name);
    // A registered model may have the name of the default one.
    if (!follows) registry.checkDefaultModel();
    for (const folder of modelsAtStart(config, scan)) {
      const origin = await fingerprint(folder);
      const versions = await registry.#loader.load(folder);
      const part = { folder, origin, versions };
      registry.#served.serve(part);
      registry.#logPassedOver(part);
    }
    checkDevice(config, registry.#served.all());
    checkTransformerModel(config, registry.#served.all());
    return registry;
  }

  /**
   * Must be called when the registered models are served.
   *
   * @throws {ServeError} `INVALID_CONFIG` if a setting that chooses default models names neither one of them nor one of the
   * repository, or one that does not fit
   */
  checkDefaultModel(): void {
    const registered = this.#served.inCatalog().filter((name) => !this.#atStart.includes(name));
    checkDefaultModels(this.#config, [...this.#atStart, ...registered], this.#skipped);
    checkTransformerModel(this.#config, this.#served.all());
  }

  status(): ModelStatus[] {
    return this.#served.status();
  }

  /**
   * Why a version is not served as its owner may expect: it failed, or is newer than the version that gets the requests. It is
   * undefined if neither applies, or there is no such version.
   */
  whyNotServed(model: string, version: string): string | undefined {
    const status = this.routes
      .get(model)
      ?.status()
      .versions.find((each) => each.version === version);
    return status === undefined || status.state === 'ready'
      ? this.#served.whyPassedOver(model, version)
      : status.reason;
  }

  /** What operators should know of a version that is served, such as how its head was guessed. */
  notesOf(model: string, version: string): readonly string[] {
    return this.routes.get(model)?.loadedVersion(version)?.device.notes ?? [];
  }

  /** The entries of the repository that are not served, with the reasons. */
  skipped(): readonly Skipped[] {
    return this.#skipped;
  }

  /** Whether every version of every served model takes requests, and `ready()`. */
  complete(): boolean {
    return this.ready() && this.#served.isComplete();
  }

  /**
   * Whether any version takes requests. If clients load or register the models, a server without models is
   * ready, because it waits for them.
   */
  ready(): boolean {
    const models = this.#served.all();
    if (models.length === 0) return this.#follows || this.#config.modelControlMode === 'explicit';
    return models.some((model) => model.isReady());
  }

  /** The models of the repository that are served, for the catalog. */
  repositoryModels(): RepositoryModels {
    const folderOf = (name: string) => this.#served.parts(name).repository?.folder;
    return {
      names: () => this.#served.inRepository().toSorted(),
      versions: (name) => folderOf(name)?.versions.map(({ version }) => version),
      config: (name) => configOfVersions(folderOf(name)),
    };
  }

  /** Sentences about what is served differently from what was asked for. */
  notes(): readonly string[] {
    return this.#served.notes();
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
      case 'catalog':
        return this.#catalog.prepare(change.snapshot);
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
    const { catalog } = this.#served.parts(name);
    if (catalog !== undefined && catalog.entries.size > 0) {
      return this.#catalog.prepare({ models: [catalog.model] }, [name], true);
    }
    throw new ServeError('MODEL_NOT_FOUND', `The repository has no model ${quote(name)}.`);
  }

  /** Unloads a model. Requests that it has taken still get their responses. */
  async #prepareUnload(name: string): Promise<PreparedChange> {
    const { repository, catalog } = this.#served.parts(name);
    if (repository === undefined) {
      throw catalog !== undefined && catalog.entries.size > 0
        ? new ServeError(
            'CONFLICT',
            `The versions of model '${name}' are registered; archive them, so that they are not served any more.`,
          )
        : new ServeError('MODEL_NOT_FOUND', `The model ${quote(name)} is not loaded.`);
    }
    const commit = () => {
      this.#served.unload(name);
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
    const versions = await this.#served.loading(name, this.#loader.load(folder));
    const part = { folder, origin, versions };
    return {
      result: JSON.stringify([name, origin, contentsOf(versions)]),
      failure: failureOf(versions),
      commit: () => {
        this.#logLoad(part, this.#served.serve(part));
        this.#logPassedOver(part);
      },
      abandon: () => this.#served.discard(name, loadedOf(versions)),
    };
  }

  #logLoad({ folder, versions: loaded }: RepositoryPart, isServed: boolean): void {
    const model = folder.name;
    const versions = loadedOf(loaded).map(({ version }) => version);
    const reason = failureOf(loaded)?.message;
    if (reason === undefined) this.#notices.info({ model, versions }, 'model loaded');
    // The reason is in the index too, and the old versions are still served.
    else if (!isServed) this.#notices.warn({ model, reason }, 'change not served');
    else if (versions.length > 0) this.#notices.warn({ model, versions, reason }, 'model loaded');
    else this.#notices.error({ model, reason }, 'model not served');
  }

  /** Logs each version that is newer than the one that gets the requests. */
  #logPassedOver({ folder: { name: model }, versions }: RepositoryPart): void {
    for (const { version } of loadedOf(versions)) {
      const reason = this.#served.whyPassedOver(model, version);
      if (reason !== undefined) this.#notices.warn({ model, version, reason }, 'not the default');
    }
  }

  #removeAbsent(scan: Scan): void {
    const present = new Set(scan.models.map(({ name }) => name));
    for (const name of this.#served.inRepository()) {
      if (!present.has(name)) this.#removeUnlessSkipped(name, scan);
    }
  }

  /** Unloads a model whose folder is gone. It stays if the folder exists but cannot be read or is being written. */
  #removeUnlessSkipped(model: string, { skipped }: Scan): void {
    const skip = skipped.find(({ name }) => mayHold(name, model));
    if (skip === undefined) {
      this.#served.remove(model);
      this.#notices.info({ model }, 'model unloaded');
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
