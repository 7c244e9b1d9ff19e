/**
 * Decides which model version serves a request. The table can change at any time without reloading a model
 * (.github/decisions/0024).
 *
 * @module
 */

import { quote } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { ModelVersion } from '../model.ts';
import type { ServedModel } from '../served-model.ts';
import type { TaskName } from '../tasks/index.ts';
import type { TrafficRoute } from './route.ts';
import { type Arm, compileSplit, type Random, type Split } from './split.ts';
import { keyReader, memberOf, type ReadKey, type Sender } from './sticky.ts';

/** How the version of requests to one model is chosen. If it has no weights, the newest version that works gets all. */
export interface Route extends TrafficRoute {
  /** Names that stand for a version, such as `stable`. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The parts of a request that decide which version serves it. */
export interface RouteContext {
  /** The model's name; undefined leaves it to the default model. */
  readonly model: string | undefined;
  /** A version or a label; undefined leaves it to the traffic split. */
  readonly version: string | undefined;
  /** The default model must have one of these tasks; undefined means any. The list is a constant of the route. */
  readonly tasks?: readonly TaskName[] | undefined;
}

/** A model with its route, compiled for the requests. */
interface Entry {
  readonly model: ServedModel;
  readonly route: Route;
  readonly split: Split;
  /** Reads the key of a sticky split. */
  readonly keyOf: ReadKey | undefined;
  /** Whether the route has several versions, a canary or a shadow, so that its arms are observed. */
  readonly isDivided: boolean;
  /** The version of every request that names none, if it is loaded and the route is not divided. */
  readonly only: ModelVersion | undefined;
}

const noBody = () => undefined;

/** What is known of all models together. */
interface Facts {
  readonly takesWideIntegers: boolean;
  readonly keyMembers: ReadonlySet<string>;
}

export class RouteTable {
  readonly #random: Random;
  /** `DEFAULT_MODEL`. */
  readonly #defaultName: string | undefined;
  readonly #entries = new Map<string, Entry>();
  /** Undefined after a change, until they are needed. */
  #facts: Facts | undefined;
  /** The default model for each list of tasks that requests have had so far. */
  readonly #defaults = new Map<readonly TaskName[] | undefined, Entry | undefined>();

  constructor(random: Random, defaultName: string | undefined) {
    this.#random = random;
    this.#defaultName = defaultName;
  }

  /** Adds a model, or replaces the one of the same name. */
  set(model: ServedModel, route: Route): void {
    this.#entries.set(model.name, compile(model, route));
    this.#forget();
  }

  /** Changes how the requests to a model that is served find their version. @throws {ServeError} `MODEL_NOT_FOUND` */
  change(name: string, route: Route): void {
    this.set(this.#entry({ model: name }).model, route);
  }

  delete(name: string): void {
    this.#entries.delete(name);
    this.#forget();
  }

  /** Whether a model with a task takes 64-bit integers: then bodies are parsed so that integers keep all digits. */
  get takesWideIntegers(): boolean {
    return this.#factsOfAll().takesWideIntegers;
  }

  /**
   * Members of JSON bodies that hold the keys of sticky splits, so that requests may have them beside their own. It is another
   * set after each change of a model or a route.
   */
  get keyMembers(): ReadonlySet<string> {
    return this.#factsOfAll().keyMembers;
  }

  /** The model of requests that name none; undefined if there is no such model. */
  get defaultModel(): string | undefined {
    return this.#default(undefined)?.model.name;
  }

  /** @throws {ServeError} `MODEL_NOT_FOUND` */
  model(context: RouteContext): ServedModel {
    return this.#entry(context).model;
  }

  get(name: string): ServedModel | undefined {
    return this.#entries.get(name)?.model;
  }

  /** The weights of the route of a model, or none if it is not served. */
  weightsOf(name: string): Readonly<Record<string, number>> {
    return this.#entries.get(name)?.route.weights ?? {};
  }

  models(): ServedModel[] {
    return [...this.#entries.values()].map(({ model }) => model);
  }

  /**
   * What responds to one request: the version that it names, or the arm of the route that it is given to. The arm may be
   * chosen at random, so each request must call this once.
   *
   * @param sender Whose request it is, and `body` the JSON of its body, for the key of a sticky split.
   * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `MODEL_NOT_READY`, or `INVALID_ARGUMENT`
   * when no model is named and there is no default.
   */
  resolve(
    context: RouteContext,
    sender: Sender = {},
    body: () => unknown = noBody,
  ): ModelVersion | Arm {
    const entry = this.#entry(context);
    const { version } = context;
    if (version !== undefined) return named(entry, version);
    if (entry.only !== undefined) return entry.only;
    const arm = entry.split.choose(entry.keyOf?.(sender, body), this.#random);
    return entry.isDivided ? arm : arm.loaded();
  }

  /**
   * The version that metadata, configuration and statistics are about: the one that is named, else the one
   * with the largest share of requests. It is not random, so the same call has the same result.
   *
   * @throws {ServeError} as `resolve`
   */
  describe(context: RouteContext): ModelVersion {
    const entry = this.#entry(context);
    const { version } = context;
    return entry.only !== undefined && version === undefined
      ? entry.only
      : named(entry, version ?? entry.split.heaviest());
  }

  /**
   * Whether the version that is named, or without one any version, responds.
   *
   * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`
   */
  isReady(context: RouteContext): boolean {
    const entry = this.#entry(context);
    const { version } = context;
    if (version === undefined) return entry.model.isReady();
    try {
      return named(entry, version).responds;
    } catch (error) {
      if (error instanceof ServeError && error.code === 'MODEL_NOT_READY') return false;
      throw error;
    }
  }

  #entry({ model, tasks }: Pick<RouteContext, 'model' | 'tasks'>): Entry {
    const found = model === undefined ? this.#default(tasks) : this.#entries.get(model);
    if (found !== undefined) return found;
    const served = this.models().filter((each) => each.isReady());
    const names = served.map(({ name }) => `'${name}'`).join(', ');
    if (model !== undefined) {
      const available = names === '' ? 'no model is served' : `available: ${names}`;
      throw new ServeError('MODEL_NOT_FOUND', `There is no model ${quote(model)}; ${available}.`);
    }
    if (names !== '') {
      const missing = `The field 'model' is missing; write one of ${names}.`;
      throw new ServeError('INVALID_ARGUMENT', missing);
    }
    throw this.#entries.size === 0
      ? new ServeError('MODEL_NOT_FOUND', 'The repository holds no model.')
      : new ServeError('MODEL_NOT_READY', 'No model is served; see /ready.');
  }

  /** Discards the values that depend on all models. A catalog may change many models one after the other. */
  #forget(): void {
    this.#defaults.clear();
    this.#facts = undefined;
  }

  #factsOfAll(): Facts {
    if (this.#facts === undefined) {
      const entries = [...this.#entries.values()];
      const members = entries.map(({ route }) => memberOf(route.sticky));
      this.#facts = {
        takesWideIntegers: entries.some(({ model }) => model.takesWideIntegers()),
        keyMembers: new Set(members.filter((member) => member !== undefined)),
      };
    }
    return this.#facts;
  }

  #default(tasks: readonly TaskName[] | undefined): Entry | undefined {
    if (!this.#defaults.has(tasks)) this.#defaults.set(tasks, this.#chooseDefault(tasks));
    return this.#defaults.get(tasks);
  }

  /**
   * Of the models that have one of the tasks: the one that `DEFAULT_MODEL` names, or whose `model.json`
   * makes it the default, or the only one. If no model has one of the tasks, all are candidates, so that the error says
   * why the default cannot be used.
   */
  #chooseDefault(tasks: readonly TaskName[] | undefined): Entry | undefined {
    const all = [...this.#entries.values()];
    const able = all.filter(({ model }) => tasks === undefined || model.hasTask(tasks));
    const entries = able.length > 0 ? able : all;
    return (
      entries.find(({ model }) => model.name === this.#defaultName) ??
      entries.find(({ model }) => model.isDefault) ??
      (entries.length === 1 ? entries[0] : undefined)
    );
  }
}

function compile(model: ServedModel, route: Route): Entry {
  const { sticky, shadow, canary, labels } = route;
  const split = compileSplit(model, route, labels);
  const isDivided = split.arms.length > 1 || shadow !== undefined || canary !== undefined;
  const only = isDivided ? undefined : model.loadedVersion(split.arms[0]!.version);
  return { model, route, split, keyOf: sticky && keyReader(sticky), isDivided, only };
}

function named(entry: Entry, version: string): ModelVersion {
  const { labels } = entry.route;
  const name = Object.hasOwn(labels, version) ? labels[version]! : version;
  return entry.model.version(name, labels);
}
