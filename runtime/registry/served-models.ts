/** @module The models that are served, being loaded or being unloaded, and how the index lists them. */

import type { Log } from '../log.ts';
import type { ModelVersion } from '../model.ts';
import type { RouteTable } from '../routing/route-table.ts';
import type { ModelStatus, ServedModel } from '../served-model.ts';
import {
  type CatalogPart,
  combine,
  failureOf,
  loadedOf,
  type Parts,
  type RepositoryPart,
  type Served,
} from './parts.ts';
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

export class ServedModels {
  readonly #log: Log;
  /** Which of their versions a request goes to. */
  readonly #routes: RouteTable;
  /** The models that are served, and those for which the catalog has only a route or labels. */
  readonly #served = new Map<string, Served>();
  /** Models of which files have changed or gone since they were loaded, so that they are read again at the next change. */
  readonly #stale = new Set<string>();
  /** Models that a client has unloaded. */
  readonly #unloaded = new Set<string>();
  /** Why a change on disk is not served, for models whose old versions are still served. */
  readonly #refusals = new Map<string, string>();
  readonly #transitions = new Transitions();
  /** Versions that are no longer served, each until its last request has ended and it is unloaded. */
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

  parts(name: string): Parts {
    return this.#served.get(name)?.parts ?? {};
  }

  /** The names of the models of which the catalog says something. */
  inCatalog(): string[] {
    return [...this.#served].filter(([, { parts }]) => parts.catalog).map(([name]) => name);
  }

  /** The names of the models that the repository serves. */
  inRepository(): string[] {
    return [...this.#served].filter(([, { parts }]) => parts.repository).map(([name]) => name);
  }

  /** All models. A version that is ready has a reason if a newer one cannot be served, or an older one gets its requests. */
  status(): ModelStatus[] {
    return this.all().map((model) => {
      const { name, versions } = model.status();
      const ownReason = (version: string) =>
        this.#refusal(name) ?? this.whyPassedOver(name, version);
      return {
        name,
        versions: versions.map((each) =>
          each.state === 'ready'
            ? { ...each, reason: ownReason(each.version) ?? each.reason }
            : each,
        ),
      };
    });
  }

  /** Why a version gets none of the requests that name no version, although it is the newest and no route says so. */
  whyPassedOver(name: string, version: string): string | undefined {
    const { model, route } = this.#served.get(name) ?? {};
    return Object.keys(route?.weights ?? {}).length > 0 ? undefined : model?.whyPassedOver(version);
  }

  /** Why the present files of a model are not served, although it is; undefined if they are. */
  #refusal(name: string): string | undefined {
    const refusal = this.#refusals.get(name);
    return refusal && `A newer one cannot be served: ${refusal}`;
  }

  /** Sentences about what is served differently from what was asked for. */
  notes(): string[] {
    return [...this.#served.values()].flatMap(({ notes }) => notes);
  }

  /** Whether every model is served as it should be: a registered version that no request needs may have failed. */
  isComplete(): boolean {
    return [...this.#served.values()].every(({ parts, model, servable }) => {
      const failure = failureOf(parts.repository?.versions ?? new Map());
      return failure === undefined && servable && model.loaded().every(({ responds }) => responds);
    });
  }

  /** Whether the files that the model of that name was loaded from have this fingerprint. */
  isFrom(name: string, origin: string): boolean {
    return !this.#stale.has(name) && this.parts(name).repository?.origin === origin;
  }

  /** Shows the model as being loaded until `load` settles. */
  loading<Result>(name: string, load: Promise<Result>): Promise<Result> {
    return this.#transitions.during('LOADING', name, load);
  }

  /**
   * Serves the versions of a repository's folder instead of older ones. The older ones stay if they work and one of the
   * new ones does not.
   *
   * @returns Whether they are served.
   */
  serve(part: RepositoryPart): boolean {
    const { name } = part.folder;
    const failure = failureOf(part.versions);
    const { repository: old, catalog } = this.parts(name);
    this.#stale.delete(name);
    if (failure !== undefined && loadedOf(old?.versions).length > 0) {
      this.#refusals.set(name, failure.message);
      this.discard(name, loadedOf(part.versions));
      this.#change(name, { repository: { ...old!, origin: part.origin }, catalog });
      return false;
    }
    this.#refusals.delete(name);
    this.#unloaded.delete(name);
    this.#change(name, { repository: part, catalog });
    return true;
  }

  /** Serves what the catalog says of a model; undefined if it says nothing of it any more. */
  serveCatalog(name: string, catalog: CatalogPart | undefined): void {
    this.#change(name, { repository: this.parts(name).repository, catalog });
  }

  /** Stops serving the model's versions of the repository. Requests that they have accepted still get their responses. */
  remove(name: string): void {
    this.#stale.delete(name);
    this.#refusals.delete(name);
    this.#change(name, { catalog: this.parts(name).catalog });
  }

  /** The same as `remove`, at the request of a client. */
  unload(name: string): void {
    this.remove(name);
    this.#unloaded.add(name);
  }

  /** Keeps the model, whose files cannot be used any more. They are read again when they have changed. */
  keep(name: string, reason: string): void {
    this.#refusals.set(name, reason);
    this.#stale.add(name);
  }

  #change(name: string, parts: Parts): void {
    const old = this.#served.get(name);
    const { repository, catalog } = parts;
    const now =
      repository === undefined && catalog === undefined ? undefined : combine(name, parts, old);
    if (now === undefined) this.#served.delete(name);
    else this.#served.set(name, now);
    if (now === undefined || now.model.isEmpty) this.#routes.delete(name);
    else this.#routes.set(now.model, now.route);
    const left = new Set(old?.model.loaded());
    for (const version of now?.model.loaded() ?? []) left.delete(version);
    this.discard(name, [...left]);
  }

  /** Unloads versions that are not served, each as soon as its last request has ended. */
  discard(name: string, versions: readonly ModelVersion[]): void {
    if (versions.length === 0) return;
    const closed = Promise.allSettled(versions.map((version) => version.close()));
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
    for (const name of [...this.#served.keys()]) this.#change(name, {});
    await Promise.all(this.#leaving);
  }

  /** A value that is the same in two threads exactly when they serve the same. */
  state(): string {
    const models = [...this.#served].map(([name, { model, route, parts }]) => [
      name,
      model.contents,
      route,
      parts.repository?.origin,
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
    const refusal = this.#refusal(name);
    return model.status().versions.map(({ version, state, reason }): IndexEntry => {
      if (transition === 'LOADING') return { name, version, state: transition };
      if (state !== 'ready') return { name, version, state: 'UNAVAILABLE', reason };
      const entry: IndexEntry = { name, version, state: 'READY' };
      if (refusal === undefined) return entry;
      return { ...entry, reason: refusal };
    });
  }
}
