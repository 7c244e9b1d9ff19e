/** @module The models that are served, being loaded or being unloaded, and how the index lists them. */

import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ModelVersion } from '../model.ts';
import type { ModelFolder } from '../repository/index.ts';
import type { Route, RouteTable } from '../routing/route-table.ts';
import type { ServedModel } from '../served-model.ts';
import { type Transition, Transitions } from './transitions.ts';

/**
 * An entry of the repository's index. A model that was never loaded has no version. A version that is ready
 * has a reason if the model has changed on disk and the change could not be served.
 */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: 'READY' | 'UNAVAILABLE' | Transition;
  readonly reason?: string;
}

/** A loaded model that is about to be served. */
export interface LoadedModel {
  readonly folder: ModelFolder;
  /** The fingerprint of the files that it was loaded from. */
  readonly origin: string;
  readonly model: ServedModel;
}

export class ServedModels {
  readonly #log: Log;
  /** Which of their versions a request goes to. */
  readonly #routes: RouteTable;
  /** The fingerprint of the files that each served model was loaded from. */
  readonly #origins = new Map<string, string>();
  /** Models that a client has unloaded. */
  readonly #unloaded = new Set<string>();
  /** Why a change on disk is not served, for models whose old versions are still served. */
  readonly #refusals = new Map<string, string>();
  readonly #transitions = new Transitions();
  /** Models that are no longer served, each until its last request has ended and it is unloaded. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(routes: RouteTable, log: Log) {
    this.#routes = routes;
    this.#log = log;
  }

  all(): readonly ServedModel[] {
    return this.#routes.models();
  }

  versions(): ModelVersion[] {
    return this.all().flatMap((model) => model.loaded());
  }

  get(name: string): ServedModel | undefined {
    return this.#routes.get(name);
  }

  /** Whether the files that the model of that name was loaded from have this fingerprint. */
  isFrom(name: string, origin: string): boolean {
    return this.#origins.get(name) === origin;
  }

  /** Shows the model as being loaded until `load` settles. */
  loading<Result>(name: string, load: Promise<Result>): Promise<Result> {
    return this.#transitions.during('LOADING', name, load);
  }

  /**
   * Serves a loaded model instead of an older one. The older one stays if it works and the new one does not.
   *
   * @returns Whether the loaded model is served.
   */
  serve({ folder, origin, model }: LoadedModel): boolean {
    const { name } = model;
    const failure = model.failure();
    const old = this.#routes.get(name);
    this.#origins.set(name, origin);
    if (failure !== undefined && old !== undefined && old.loaded().length > 0) {
      this.#refusals.set(name, failure.message);
      this.discard(model);
      return false;
    }
    this.#refusals.delete(name);
    this.#unloaded.delete(name);
    this.#routes.set(model, routeOf(folder));
    if (old !== undefined) this.discard(old);
    return true;
  }

  /** Stops serving the model. Requests that it has accepted still get their responses. */
  remove(model: ServedModel): void {
    this.#routes.delete(model.name);
    this.#origins.delete(model.name);
    this.#refusals.delete(model.name);
    this.discard(model);
  }

  /** The same as `remove`, at the request of a client. */
  unload(model: ServedModel): void {
    this.remove(model);
    this.#unloaded.add(model.name);
  }

  /** Keeps the model, whose files cannot be used any more. They are read again when they have changed. */
  keep(model: ServedModel, reason: string): void {
    this.#refusals.set(model.name, reason);
    this.#origins.delete(model.name);
  }

  /** Unloads a model that is not served, as soon as its last request has ended. */
  discard(model: ServedModel): void {
    const { name } = model;
    const closed = Promise.allSettled(model.loaded().map((version) => version.close()));
    const gone = this.#transitions.during('UNLOADING', name, closed).then((outcomes) => {
      this.#leaving.delete(gone);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          this.#log.error({ model: name, err: outcome.reason }, 'a version could not be unloaded');
        }
      }
    });
    this.#leaving.add(gone);
  }

  /** Removes every model, and resolves when all are unloaded. */
  async close(): Promise<void> {
    for (const model of this.all()) this.remove(model);
    await Promise.all(this.#leaving);
  }

  /** A value that is the same in two threads exactly when they serve the same. */
  state(): string {
    const models = this.all().map(({ name, contents }) => [
      name,
      contents,
      this.#origins.get(name),
    ]);
    return JSON.stringify(models.toSorted());
  }

  /** How the index lists the model of that name, one entry for each version. */
  entries(name: string): IndexEntry[] {
    const model = this.#routes.get(name);
    const transition = this.#transitions.of(name);
    if (model === undefined) {
      if (transition !== undefined) return [{ name, state: transition }];
      if (!this.#unloaded.has(name)) return [{ name }];
      return [{ name, state: 'UNAVAILABLE', reason: 'unloaded' }];
    }
    const refusal = this.#refusals.get(name);
    return model.status().versions.map(({ version, state, reason }): IndexEntry => {
      if (transition === 'LOADING') return { name, version, state: transition };
      if (state !== 'ready') return { name, version, state: 'UNAVAILABLE', reason };
      const entry: IndexEntry = { name, version, state: 'READY' };
      if (refusal === undefined) return entry;
      return { ...entry, reason: `A newer one cannot be served: ${refusal}` };
    });
  }
}

/** The route that `model.json` declares. */
function routeOf({ config }: ModelFolder): Route {
  if (config instanceof ServeError) return { weights: {}, labels: {} };
  const { traffic, default_version, version_labels = {} } = config;
  const weights = traffic ?? (default_version === undefined ? {} : { [default_version]: 1 });
  return { weights, labels: version_labels };
}
