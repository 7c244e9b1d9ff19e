/**
 * Decides which model version serves a request. The table can change at any time without reloading a model
 * (.github/decisions/0024).
 *
 * @module
 */

import { quote } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { ModelVersion } from '../model.ts';
import { type ServedModel, whyUnable } from '../served-model.ts';
import { isMediaTask, type TaskName } from '../tasks/index.ts';
import { chooseDefault, type Default, type DefaultNames, quoted } from './default-model.ts';
import type { TrafficRoute } from './route.ts';
import { Arm, compileSplit, type Random, type Split } from './split.ts';
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
  /**
   * The model must have one of these tasks; undefined means any. The list is a constant of the route. Of tasks on texts or images, the
   * default model has the first that any model has.
   */
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
  readonly #names: DefaultNames;
  readonly #entries = new Map<string, Entry>();
  /** Undefined after a change, until they are needed. */
  #facts: Facts | undefined;
  /** The default model for each list of tasks that requests have had so far. */
  readonly #defaults = new Map<readonly TaskName[] | undefined, ServedModel>();

  constructor(random: Random, names: DefaultNames) {
    this.#random = random;
    this.#names = names;
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
    const chosen = this.#default(undefined);
    return chosen instanceof ServeError ? undefined : chosen.name;
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
   * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `MODEL_NOT_READY`, `WRONG_TASK`, or `INVALID_ARGUMENT`
   * when no model is named and there is no default.
   */
  resolve(
    context: RouteContext,
    sender: Sender = {},
    body: () => unknown = noBody,
  ): ModelVersion | Arm {
    const { tasks } = context;
    const entry = this.#entry(context);
    if (tasks === undefined) return this.#choose(entry, context, sender, body);
    try {
      const choice = this.#choose(entry, context, sender, body);
      // What requests to an arm fail with is recorded as its failure.
      const version = choice instanceof Arm ? choice.loadedOrNone() : choice;
      if (version !== undefined) this.#checkTask(version, tasks);
      return choice;
    } catch (error) {
      throw isMediaTask(tasks[0]) ? withReason(error, entry, context.version) : error;
    }
  }

  #choose(
    entry: Entry,
    { version }: RouteContext,
    sender: Sender,
    body: () => unknown,
  ): ModelVersion | Arm {
    if (version !== undefined) return named(entry, version);
    if (entry.only !== undefined) return entry.only;
    const arm = entry.split.choose(entry.keyOf?.(sender, body), this.#random);
    return entry.isDivided ? arm : arm.loaded();
  }

  /**
   * @throws {ServeError} `WRONG_TASK` if a version has none of the tasks, and `MODEL_NOT_READY` if it should read texts or images
   * and cannot. A model of rows of features that has another task on them says itself what it does not take.
   */
  #checkTask(version: ModelVersion, tasks: readonly TaskName[]): void {
    const { taskName } = version;
    const wantsMedia = isMediaTask(tasks[0]);
    if (taskName !== undefined && tasks.includes(taskName)) {
      if (wantsMedia) version.checkMedia();
      return;
    }
    if (!wantsMedia && !isMediaTask(taskName)) return;
    throw new ServeError('WRONG_TASK', this.#whyWrong(version, tasks));
  }

  #whyWrong(version: ModelVersion, tasks: readonly TaskName[]): string {
    const { taskName, model } = version;
    const needed = tasks.join(' or ');
    const versions = this.get(model)?.versionsFor(tasks) ?? [];
    if (versions.length > 0 && isMediaTask(tasks[0]) && !isMediaTask(taskName)) {
      return `The request needs ${needed}, but of model '${model}' ${whyUnable(version, tasks[0])}, or name version ${versions.join(' or ')}.`;
    }
    // Of several tasks, models of the first are meant above all.
    const [able = []] = tasks
      .map((task) => this.models().filter((each) => each.name !== model && each.hasTask([task])))
      .filter((found) => found.length > 0);
    const names = [
      ...(versions.length > 0 ? [`version ${versions.join(' or ')}`] : []),
      ...(able.length > 0 ? [`one of ${quoted(able)}`] : []),
    ];
    const instead =
      names.length === 0 ? 'no model that is served does' : `name ${names.join(', or ')}`;
    if (taskName === undefined && isMediaTask(tasks[0])) {
      return `No file says what model '${model}' does; write "task": ${JSON.stringify(tasks[0])} in its model.json if it does that, or else ${instead}.`;
    }
    return `Model '${model}' does ${taskName ?? 'no known task'}, but the request needs ${needed}; ${instead}.`;
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
    if (model === undefined) {
      const chosen = this.#default(tasks);
      if (chosen instanceof ServeError) throw chosen;
      return this.#entries.get(chosen.name)!;
    }
    const found = this.#entries.get(model);
    if (found !== undefined) return found;
    const able = isMediaTask(tasks?.[0]) ? tasks : undefined;
    const names = quoted(
      this.models().filter((each) => (able === undefined ? each.isReady() : each.hasTask(able))),
    );
    const task = able === undefined ? '' : ` for ${able.join(' or ')}`;
    const available = names === '' ? `no model${task} is served` : `available${task}: ${names}`;
    throw new ServeError('MODEL_NOT_FOUND', `There is no model ${quote(model)}; ${available}.`);
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

  #default(tasks: readonly TaskName[] | undefined): Default {
    const known = this.#defaults.get(tasks);
    if (known !== undefined) return known;
    const chosen = chooseDefault(this.models(), tasks, this.#names);
    if (!(chosen instanceof ServeError)) this.#defaults.set(tasks, chosen);
    return chosen;
  }
}

/** The same error with the reason why a version could not be loaded, if that is why it cannot respond. */
function withReason(error: unknown, entry: Entry, version: string | undefined): unknown {
  const isFailure = error instanceof ServeError && error.code === 'MODEL_NOT_READY';
  const { model } = entry;
  const name = version === undefined ? entry.split.heaviest() : versionOf(entry, version);
  const reason = isFailure ? model.whyNotLoaded(name) : undefined;
  if (reason === undefined) return error;
  const message = `Version ${quote(name)} of model '${model.name}' could not be loaded: ${reason}`;
  return new ServeError('MODEL_NOT_READY', message, { cause: error });
}

function compile(model: ServedModel, route: Route): Entry {
  const { sticky, shadow, canary, labels } = route;
  const split = compileSplit(model, route, labels);
  const isDivided = split.arms.length > 1 || shadow !== undefined || canary !== undefined;
  const only = isDivided ? undefined : model.loadedVersion(split.arms[0]!.version);
  return { model, route, split, keyOf: sticky && keyReader(sticky), isDivided, only };
}

const named = (entry: Entry, version: string): ModelVersion =>
  entry.model.version(versionOf(entry, version), entry.route.labels);

/** The version that a name or a label stands for. */
const versionOf = ({ route: { labels } }: Entry, name: string): string =>
  Object.hasOwn(labels, name) ? labels[name]! : name;
