/** @module The models and versions of a repository. */

import type { Stats } from 'node:fs';
import type { ServeError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import type { RepositorySettings } from './settings.ts';

/** A model of the repository. `config` is the reason if its configuration cannot be used. */
export interface ModelFolder {
  readonly name: string;
  readonly config: ModelConfig | ServeError;
  readonly settings: RepositorySettings;
  /** At least one. Oldest first: the names in natural order, so that v1.10 comes after v1.9. */
  readonly versions: readonly VersionFolder[];
}

export interface VersionFolder {
  readonly version: string;
  /** The model file. It was there when the folder was read, and may be gone when it is loaded. */
  readonly path: string;
  /** The content of the file if a load request contained it. */
  readonly bytes?: Uint8Array;
  /**
   * Returns whether external data of the model may be in an entry of the folder that holds its file. It is left
   * out if the folder belongs to this model only.
   */
  readonly mayUse?: (name: string, entry: Pick<Stats, 'isDirectory'>) => boolean;
  /** Why this file was chosen, if that is not obvious. */
  readonly notes: readonly string[];
}

/** The version of a model that has no version folders. */
export const ONLY_VERSION = '1';

const natural = new Intl.Collator('en', { numeric: true });

/** Sorts versions by their names, from the oldest to the newest. */
export function sortVersions<T>(versions: readonly T[], nameOf: (version: T) => string): T[] {
  return versions.toSorted((a, b) => natural.compare(nameOf(a), nameOf(b)));
}
