/**
 * Reads the models of a repository folder and their versions, in any of these layouts.
 *
 * ```
 * <model>/<version>/model.onnx    with model.json (ours), config.pbtxt (Triton's) or nothing beside it
 * <model>/config.json             Hugging Face: onnx/model.onnx, or the parts of a model
 * <model>/model.onnx              a model without versions, as version 1
 * <model>.onnx                    likewise; model.json beside it belongs to model.onnx, or to the only model file
 * ```
 *
 * All other entries are skipped with a reason, and no model affects another (decision
 * record 0017).
 *
 * @module
 */

import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import { mapInOrder } from '../map-in-order.ts';
import {
  type Entry,
  listFolder,
  listReadableFolder,
  type Skip,
  type Skipped,
  whyUnreadable,
} from './files.ts';
import { readModels } from './layouts.ts';
import { looseName, readLooseFiles } from './loose-files.ts';
import { isModelFile } from './model-file.ts';
import type { ModelFolder } from './model-folder.ts';
import { tritonSchema } from './triton.ts';
import { type LoadOverride, readOverride } from './triton-folder.ts';

export { type Registered, readArtifact } from './artifact.ts';
export { configOfVersions, type ModelConfig, modelConfigSchema } from './config.ts';
export type { Skipped } from './files.ts';
export { fingerprint } from './fingerprint.ts';
export { isConfig } from './layouts.ts';
export { type ModelFolder, sortVersions, type VersionFolder } from './model-folder.ts';
export {
  allowedTimeout,
  DEFAULT_SETTINGS,
  type DeclaredTensor,
  type LevelPolicy,
  type QueuePolicy,
  type RepositorySettings,
  type Warmup,
  type WarmupInput,
} from './settings.ts';
export { configType } from './triton/config.ts';
export { tritonSchema } from './triton.ts';
export type { LoadOverride } from './triton-folder.ts';
export { chooseVariant } from './variant.ts';

/** The contents of a repository at one moment. */
export interface Scan {
  /** By name. */
  readonly models: readonly ModelFolder[];
  /** The entries that are not served, except plain files that are not models, such as a README. */
  readonly skipped: readonly Skipped[];
}

/**
 * Maximum folders that are read at the same time. More would not be faster, and requests of this thread wait for the
 * work of each.
 */
const MAX_AT_ONCE = 8;

/** Reads a repository, as often as it is called. */
export class Repository {
  readonly #root: string;
  /** The only entry of the folder that belongs to the repository; undefined if all do. */
  readonly #only: string | undefined;
  readonly #schema = tritonSchema();

  private constructor(root: string, only?: string) {
    this.#root = root;
    this.#only = only;
  }

  /**
   * @param root The folder of a repository, or a single model: an `.onnx` file, or a folder from Hugging Face.
   * @throws {ServeError} `INVALID_CONFIG` if it cannot be read.
   */
  static async open(root: string): Promise<Repository> {
    try {
      if (isModelFile(root) && (await stat(root)).isFile()) {
        return new Repository(dirname(root), basename(root));
      }
      const entries = await listReadableFolder({ path: root, label: '' }, () => {});
      return isHuggingFace(entries)
        ? new Repository(dirname(root), basename(root))
        : new Repository(root);
    } catch (cause) {
      throw new ServeError(
        'INVALID_CONFIG',
        `The model repository ${root} cannot be read. ${whyUnreadable(cause)}; write in MODEL_PATH, or in --models, the folder that holds <model>/<version>/model.onnx.`,
        { cause },
      );
    }
  }

  /** @throws {ServeError} `INTERNAL` while the folder of the repository itself cannot be read. */
  scan(): Promise<Scan> {
    return this.#read(() => true);
  }

  /**
   * The model of that name as it is on disk now, or as in `override`.
   *
   * @throws {ServeError} `MODEL_NOT_FOUND` with the reason why something of that name is not served, or
   * `INVALID_CONFIG` for an override that cannot be used.
   */
  async find(name: string, override?: LoadOverride): Promise<ModelFolder | undefined> {
    if (override !== undefined) return this.#override(name, override);
    // Whether model.json at the top belongs to a model depends on the other model files there.
    const { models, skipped } = await this.#read(
      (entry) => mayHold(entry, name) || isModelFile(entry) || entry === 'model.json',
    );
    const found = models.find((model) => model.name === name);
    const skip = skipped.find((each) => mayHold(each.name, name));
    if (found !== undefined || skip === undefined || name.startsWith('.')) return found;
    throw new ServeError(
      'MODEL_NOT_FOUND',
      `The repository has no model '${name}'. ${skip.reason}`,
    );
  }

  /** The name must not contain a path separator, so it cannot refer to a folder outside the repository. */
  async #override(name: string, override: LoadOverride): Promise<ModelFolder | undefined> {
    if (!/^[^/\\]+$/.test(name) || name.startsWith('.')) return undefined;
    const folder: Entry = { name, label: name, path: join(this.#root, name), kind: 'folder' };
    const exists = await stat(folder.path).then(
      () => true,
      () => false,
    );
    if (override.files.size === 0 && !exists) return undefined;
    const entries = exists ? await listFolder(folder, () => {}) : [];
    const models = await readOverride(folder, entries, override, this.#schema);
    if (typeof models !== 'string') return models[0];
    throw new ServeError('INVALID_CONFIG', `Cannot load '${name}': ${models}`);
  }

  async #read(isWanted: (entry: string) => boolean): Promise<Scan> {
    const skipped = new Map<string, string>();
    const skip: Skip = (name, reason) => {
      // The first reason is the cause of the others.
      if (!skipped.has(name)) skipped.set(name, reason);
    };
    const entries = await this.#list(skip, isWanted);
    const folders = entries.filter(({ kind }) => kind === 'folder');
    const models = new Map<string, ModelFolder>();
    const add = (model: ModelFolder, label: string) => {
      if (models.has(model.name)) skip(label, `There is another model '${model.name}'`);
      else models.set(model.name, model);
    };
    const read = (folder: Entry) => readModels(folder, this.#schema);
    const inFolders = await mapInOrder(folders, MAX_AT_ONCE, read);
    for (const found of inFolders) {
      for (const { name, reason } of found.skipped) skip(name, reason);
      for (const model of found.models) add(model, model.name);
    }
    const empty = folders.filter((_, i) => inFolders[i]!.models.length === 0);
    for (const { model, label } of await readLooseFiles(entries, empty, skip)) add(model, label);
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    return {
      models: [...models.values()].toSorted(byName),
      skipped: [...skipped].map(([name, reason]) => ({ name, reason })).toSorted(byName),
    };
  }

  async #list(skip: Skip, isWanted: (entry: string) => boolean): Promise<Entry[]> {
    const only = this.#only;
    // A model file may have its model.json beside it.
    const belongs = (entry: string) =>
      only === undefined || entry === only || (isModelFile(only) && entry === 'model.json');
    const wanted = (entry: string) => belongs(entry) && isWanted(entry);
    try {
      return await listReadableFolder({ path: this.#root, label: '' }, skip, wanted);
    } catch (cause) {
      throw new ServeError('INTERNAL', `The repository cannot be read. ${whyUnreadable(cause)}`, {
        cause,
      });
    }
  }
}

/** Whether a folder is itself a model as Hugging Face lays it out, and not a repository of models. */
const isHuggingFace = (entries: readonly Entry[]): boolean =>
  entries.some(({ name }) => name === 'config.json') &&
  entries.some(({ name, kind }) => (kind === 'folder' ? name === 'onnx' : isModelFile(name)));

/** Whether the model of that name may come from that entry: the name of a part starts with its folder's name. */
export const mayHold = (entry: string, model: string): boolean =>
  looseName(entry) === model || `${model}.`.startsWith(`${entry}.`);
