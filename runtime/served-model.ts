/** @module A served model with its versions, each of which is loaded or has the reason why it is not. */

import { quote } from '../native/index.ts';
import { ServeError } from './errors.ts';
import { ModelVersion } from './model.ts';
import { isImageTask, isMediaTask, type TaskName } from './tasks/index.ts';

/** A version as `/ready` shows it. */
export interface VersionStatus {
  readonly version: string;
  /** `stuck`: the version is loaded, but its requests get no responses until one of its runs returns. */
  readonly state: 'ready' | 'stuck' | 'failed';
  /**
   * Why it failed, what is stuck, why it runs on another device, or why it is not batched; '' if none of
   * these applies.
   */
  readonly reason: string;
  readonly device?: string;
  /** Set if a GPU was requested and could not be used. */
  readonly fallback?: true;
  /** What could not be done for this version, and why. */
  readonly notes?: readonly string[];
  readonly maxRows?: number;
  /** What the model does; absent if only `/v2` serves it. */
  readonly task?: TaskName;
}

export interface ModelStatus {
  readonly name: string;
  readonly versions: readonly VersionStatus[];
}

/** What is known of a model before the version of a request is chosen. */
export interface ModelFacts {
  readonly name: string;
  /** Whether it gets the requests that name no model. */
  readonly isDefault: boolean;
  /** Whether `null` in JSON is a missing value among the floats of an input. */
  readonly nullIsNaN: boolean;
  /** The task that its files name, for a model of which no version is loaded; undefined if they name none. */
  readonly task: TaskName | undefined;
}

/** A model and its versions: each is loaded or is the reason why it is not. */
export class ServedModel implements ModelFacts {
  readonly name: string;
  readonly isDefault: boolean;
  readonly nullIsNaN: boolean;
  readonly task: TaskName | undefined;
  readonly #versions: ReadonlyMap<string, ModelVersion | ServeError>;

  /** @param versions Oldest first. */
  constructor(facts: ModelFacts, versions: ReadonlyMap<string, ModelVersion | ServeError>) {
    this.name = facts.name;
    this.isDefault = facts.isDefault;
    this.nullIsNaN = facts.nullIsNaN;
    this.task = facts.task;
    this.#versions = versions;
  }

  /**
   * @param labels The labels that a request may name instead of a version, for the message.
   * @throws {ServeError} `VERSION_NOT_FOUND`, or `MODEL_NOT_READY` for a version that failed to load.
   */
  version(name: string, labels: Readonly<Record<string, string>>): ModelVersion {
    const found = this.#versions.get(name);
    if (found instanceof ModelVersion) return found;
    const loaded = this.loaded().map(({ version }) => version);
    const usable = Object.keys(labels).filter((label) => loaded.includes(labels[label]!));
    const available = [...loaded, ...usable].map((each) => `'${each}'`).join(', ');
    if (found !== undefined) {
      const others = available === '' ? '' : `, or ask for one of ${available}`;
      throw new ServeError(
        'MODEL_NOT_READY',
        `Version ${quote(name)} of model '${this.name}' could not be loaded; see /ready${others}.`,
      );
    }
    const others =
      available === '' ? 'no version is loaded; see /ready' : `available: ${available}`;
    throw new ServeError(
      'VERSION_NOT_FOUND',
      `Model '${this.name}' has no version ${quote(name)}; ${others}.`,
    );
  }

  /** Whether there is a version of that name, loaded or not. */
  hasVersion(name: string): boolean {
    return this.#versions.has(name);
  }

  /** The version of that name, if it is loaded. */
  loadedVersion(name: string): ModelVersion | undefined {
    const found = this.#versions.get(name);
    return found instanceof ModelVersion ? found : undefined;
  }

  /**
   * The version of requests that name none, if no route says more: the newest that works. A version that does nothing with
   * texts or images does not replace one that reads them, and one without any task does not replace one with a task.
   */
  newest(): string {
    const loaded = this.loaded();
    const newest = loaded.findLast(readsMedia) ?? loaded.findLast(doesTask) ?? loaded.at(-1);
    return newest?.version ?? [...this.#versions.keys()].at(-1) ?? '';
  }

  /** Why a version gets none of the requests that name no version, although it is newer; undefined for all others. */
  whyPassedOver(name: string): string | undefined {
    const loaded = this.loaded();
    const chosen = loaded.findIndex(({ version }) => version === this.newest());
    const index = loaded.findIndex(({ version }) => version === name);
    if (index <= chosen) return undefined;
    const { version, taskName } = loaded[chosen]!;
    const instead = `Requests that name no version still go to version '${version}', which does ${taskName}`;
    return `${instead}: ${whyUnable(loaded[index]!, taskName)}, or promote this version.`;
  }

  /** The names of the versions that can do one of these tasks, in single quotes. */
  versionsFor(tasks: readonly TaskName[]): readonly string[] {
    return this.loaded()
      .filter((each) => doesTask(each) && tasks.includes(each.taskName!))
      .map(({ version }) => `'${version}'`);
  }

  /** Whether a version that is loaded has one of these tasks, and for one on texts or images can read them. */
  hasTask(tasks: readonly TaskName[]): boolean {
    return this.versionsFor(tasks).length > 0;
  }

  /** Whether it is meant for a task, also if no version of it works. */
  isMeantFor(task: TaskName): boolean {
    return this.task === task || this.loaded().some(({ taskName }) => taskName === task);
  }

  /** Why a version could not be loaded; undefined if it is, or there is no such version. */
  whyNotLoaded(version: string): string | undefined {
    const found = this.#versions.get(version);
    return found instanceof ServeError ? found.message : undefined;
  }

  /** Whether a version with a task takes 64-bit integers, which have more digits than a number of JavaScript. */
  takesWideIntegers(): boolean {
    return this.loaded().some(
      ({ task, signature }) =>
        !(task instanceof ServeError) &&
        signature.inputs.some(({ type }) => type === 'int64' || type === 'uint64'),
    );
  }

  /** Whether it has no version, not even one that failed. */
  get isEmpty(): boolean {
    return this.#versions.size === 0;
  }

  /** Whether any version responds. */
  isReady(): boolean {
    return this.loaded().some(({ responds }) => responds);
  }

  status(): ModelStatus {
    const versions = [...this.#versions].map(([version, loaded]): VersionStatus => {
      if (loaded instanceof ServeError) {
        return { version, state: 'failed', reason: loaded.message };
      }
      const { instances, stuckInstances } = loaded;
      const { device, fallback, notes } = loaded.device;
      const { reason, maxRows } = loaded.signature.batching;
      if (loaded.stats().deviceLost) {
        const lost = 'The GPU is lost to this process: restart it';
        return { version, state: 'failed', reason: lost, device };
      }
      const state = loaded.responds ? 'ready' : 'stuck';
      return {
        version,
        state,
        reason: stuckReason(stuckInstances, instances) || fallback || reason,
        device,
        ...(fallback === '' ? {} : { fallback: true as const }),
        ...(notes.length === 0 ? {} : { notes }),
        maxRows,
        ...(loaded.taskName === undefined ? {} : { task: loaded.taskName }),
      };
    });
    return { name: this.name, versions };
  }

  /** The content of each version: the digest of the loaded model, or the reason why it is not loaded. */
  get contents(): readonly (readonly [version: string, content: string])[] {
    return [...this.#versions].map(([version, loaded]) => [
      version,
      loaded instanceof ServeError ? loaded.message : loaded.digest,
    ]);
  }

  /** The reason of the first version that cannot be served. */
  failure(): ServeError | undefined {
    const failures = [...this.#versions.values()].filter(
      (version) => version instanceof ServeError,
    );
    return failures[0];
  }

  /** Whether every version is loaded and responds. */
  isComplete(): boolean {
    return this.failure() === undefined && this.loaded().every(({ responds }) => responds);
  }

  loaded(): ModelVersion[] {
    return [...this.#versions.values()].filter((version) => version instanceof ModelVersion);
  }
}

const readsMedia = ({ text, image }: ModelVersion): boolean =>
  text !== undefined || image !== undefined;

/** Whether a version has a task and, if it is one on texts or images, can read them. */
const doesTask = (version: ModelVersion): boolean =>
  version.taskName !== undefined && (readsMedia(version) || !isMediaTask(version.taskName));

/**
 * Why a version cannot do what others of its model do, and what to do, as a clause.
 *
 * @param wanted A task of the others.
 */
export function whyUnable(able: ModelVersion, wanted: TaskName | undefined): string {
  const { version, taskName, task, mediaObstacle } = able;
  if (mediaObstacle !== undefined) {
    const media = isImageTask(taskName) ? 'images' : 'texts';
    return `version '${version}' cannot read ${media}. ${mediaObstacle}`;
  }
  const does = `version '${version}' does ${taskName ?? 'no known task'}`;
  if (isMediaTask(wanted)) {
    const beside = isImageTask(wanted) ? 'preprocessor_config.json' : 'tokenizer.json';
    return (
      `${does}, because its files have no config.json whose architecture is known and model.json names no task; ` +
      `register a folder that also holds config.json and ${beside}`
    );
  }
  const reason = task instanceof ServeError ? `: ${task.message.replace(/\.$/, '')}` : '';
  return `${does}${reason}; register one with a task`;
}

function stuckReason(stuck: number, instances: number): string {
  if (stuck === 0) return '';
  return `Instances stuck: ${stuck} of ${instances}; the run on each has passed its limit and not returned.`;
}
