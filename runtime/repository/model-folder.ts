/** @module The models and versions of a repository. */

import type { Stats } from 'node:fs';
import type { ServeError } from '../errors.ts';
import type { MediaTaskName } from '../tasks/index.ts';
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

/** A graph in one of its precisions. */
export interface GraphFile {
  /** The name of the file. */
  readonly name: string;
  readonly path: string;
}

/** A graph of a folder from Hugging Face. */
export interface Graph {
  /** The name of the part; '' for a whole model. */
  readonly part: string;
  /** That of the most exact file. */
  readonly path: string;
  /** Its files, the most exact first. */
  readonly files: readonly GraphFile[];
  readonly notes: readonly string[];
}

/** The graphs of a model that generates text, each in its precisions, the most exact first. */
export interface GeneratorFiles {
  /** Undefined if the prompt is read by the decoder. */
  readonly encoder: readonly GraphFile[] | undefined;
  readonly decoder: readonly GraphFile[];
  /** For the steps after the first; undefined if `decoder` makes them. */
  readonly decoderWithPast: readonly GraphFile[] | undefined;
}

/** A folder with the files that say how a model takes texts or images, as Hugging Face keeps them. */
export interface MediaFolder {
  readonly path: string;
  /** What `config.json` says the model does; undefined if it does not say so. */
  readonly task: MediaTaskName | undefined;
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
  /** The model file in all precisions that are there, the most exact first. It is left out if there is no choice. */
  readonly variants?: readonly GraphFile[];
  /** Set for a model that generates text; `path` is then that of the decoder. */
  readonly generator?: GeneratorFiles;
  /** Set if a `config.json`, a tokenizer or a description of images belongs to the version. */
  readonly media?: MediaFolder;
}

/** The version of a model that has no version folders. */
export const ONLY_VERSION = '1';

const natural = new Intl.Collator('en', { numeric: true });

/** Sorts versions by their names, from the oldest to the newest. */
export function sortVersions<T>(versions: readonly T[], nameOf: (version: T) => string): T[] {
  return versions.toSorted((a, b) => natural.compare(nameOf(a), nameOf(b)));
}
