/** @module A model as it is served: its versions, its labels, and which version answers. */

import { ServeError } from './errors.ts';
import { ModelVersion } from './model.ts';
import type { ModelFolder, RepositorySettings } from './repository/index.ts';

/** A version as `/ready` shows it. */
export interface VersionStatus {
  readonly version: string;
  /** `stuck`: loaded, and no request to it is answered until one of its runs returns. */
  readonly state: 'ready' | 'stuck' | 'failed';
  /**
   * Why it failed, what is stuck, why it runs on another device, or why it is not batched; '' when there
   * is nothing to say.
   */
  readonly reason: string;
  readonly device?: string;
  /** Set where a GPU was wanted and could not be used. */
  readonly fallback?: true;
  /** What could not be done for this version, and why. */
  readonly notes?: readonly string[];
  readonly maxRows?: number;
}

export interface ModelStatus {
  readonly name: string;
  readonly versions: readonly VersionStatus[];
}

/** Random numbers in [0, 1), for the traffic split. */
export type Random = () => number;

/** A model and its versions: each is loaded or is the reason why it is not. */
export class ServedModel {
  readonly name: string;
  readonly isDefault: boolean;
  readonly settings: RepositorySettings;
  readonly #versions: ReadonlyMap<string, ModelVersion | ServeError>;
  readonly #labels: Readonly<Record<string, string>>;
  /** Cumulative weights of the versions that share the requests without a version. */
  readonly #shares: readonly { readonly upTo: number; readonly version: string }[];
  readonly #random: Random;
  /** The version that answers whenever none is asked for, where there is such a one. */
  readonly #usual: ModelVersion | undefined;

  constructor(
    folder: ModelFolder,
    versions: ReadonlyMap<string, ModelVersion | ServeError>,
    random: Random,
  ) {
    const config = folder.config instanceof ServeError ? {} : folder.config;
    this.name = folder.name;
    this.isDefault = config.default ?? false;
    this.settings = folder.settings;
    this.#versions = versions;
    this.#labels = config.version_labels ?? {};
    this.#random = random;
    this.#shares = shares(config.traffic ?? { [config.default_version ?? this.#newest()]: 1 });
    const only = this.#shares.length === 1 ? versions.get(this.#shares[0]!.version) : undefined;
    this.#usual = only instanceof ModelVersion ? only : undefined;
  }

  /** @throws {ServeError} `VERSION_NOT_FOUND`, or `MODEL_NOT_READY` for a version that failed to load. */
  resolve(wanted: string | undefined): ModelVersion {
    if (wanted === undefined && this.#usual !== undefined) return this.#usual;
    const version = wanted === undefined ? this.#share() : this.#versionOf(wanted);
    const found = this.#versions.get(version);
    if (found instanceof ModelVersion) return found;
    if (found !== undefined) {
      throw new ServeError(
        'MODEL_NOT_READY',
        `Version "${version}" of model "${this.name}" could not be loaded; see /ready, or ask for one of ${this.#available()}.`,
      );
    }
    throw new ServeError(
      'VERSION_NOT_FOUND',
      `Model "${this.name}" has no version "${version}"; available: ${this.#available()}.`,
    );
  }

  /** Whether a version, or without one any, answers. @throws {ServeError} `VERSION_NOT_FOUND` */
  isReady(wanted?: string): boolean {
    if (wanted === undefined) return this.loaded().some(answers);
    try {
      return answers(this.resolve(wanted));
    } catch (error) {
      if (error instanceof ServeError && error.code === 'MODEL_NOT_READY') return false;
      throw error;
    }
  }

  status(): ModelStatus {
    const versions = [...this.#versions].map(([version, loaded]): VersionStatus => {
      if (loaded instanceof ServeError) {
        return { version, state: 'failed', reason: loaded.message };
      }
      const { lanes, stuckLanes } = loaded;
      const { device, fallback, notes } = loaded.device;
      const { reason, maxRows } = loaded.signature.batching;
      if (loaded.stats().deviceLost) {
        const lost = 'The GPU is lost to this process: restart it';
        return { version, state: 'failed', reason: lost, device };
      }
      const state = answers(loaded) ? 'ready' : 'stuck';
      return {
        version,
        state,
        reason: stuckReason(stuckLanes, lanes) || fallback || reason,
        device,
        ...(fallback === '' ? {} : { fallback: true as const }),
        ...(notes.length === 0 ? {} : { notes }),
        maxRows,
      };
    });
    return { name: this.name, versions };
  }

  /** Why the first version that cannot be served cannot. */
  failure(): ServeError | undefined {
    const failures = [...this.#versions.values()].filter(
      (version) => version instanceof ServeError,
    );
    return failures[0];
  }

  /** Whether every version is loaded and answers. */
  isComplete(): boolean {
    return this.failure() === undefined && this.loaded().every(answers);
  }

  loaded(): ModelVersion[] {
    return [...this.#versions.values()].filter((version) => version instanceof ModelVersion);
  }

  #share(): string {
    const drawn = this.#random();
    return (this.#shares.find((share) => drawn < share.upTo) ?? this.#shares.at(-1)!).version;
  }

  #versionOf(wanted: string): string {
    return Object.hasOwn(this.#labels, wanted) ? this.#labels[wanted]! : wanted;
  }

  /** The newest version that works, or the newest. */
  #newest(): string {
    return this.loaded().at(-1)?.version ?? [...this.#versions.keys()].at(-1) ?? '';
  }

  #available(): string {
    const names = [
      ...this.loaded().map((version) => version.version),
      ...Object.keys(this.#labels),
    ];
    return names.map((name) => `"${name}"`).join(', ') || 'none';
  }
}

const answers = ({ stuckLanes, lanes }: ModelVersion) => stuckLanes < lanes;

function stuckReason(stuck: number, lanes: number): string {
  if (stuck === 0) return '';
  return `Lanes stuck: ${stuck} of ${lanes}; the run on each has passed its limit and not returned.`;
}

function shares(weights: Readonly<Record<string, number>>) {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0) || 1;
  let sum = 0;
  return Object.entries(weights).map(([version, weight]) => {
    sum += weight;
    return { upTo: sum / total, version };
  });
}
