/**
 * What is on disk: the models of a repository folder and their versions, in any of these layouts.
 *
 * ```
 * <model>/<version>/model.onnx    with model.json (ours), config.pbtxt (Triton's) or nothing beside it
 * <model>/config.json             Hugging Face: onnx/model.onnx, or the parts of a model
 * <model>/model.onnx              a model without versions, as version 1
 * <model>.onnx                    likewise
 * ```
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { graphsOf, ONLY_VERSION, readHuggingFace } from './huggingface.ts';
import { DEFAULT_SETTINGS, type RepositorySettings } from './settings.ts';
import { readTriton, tritonSchema } from './triton.ts';

export { type ModelConfig, modelConfigSchema } from './config.ts';
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

/** A model's folder. `config` is the reason where its configuration cannot be used. */
export interface ModelFolder {
  readonly name: string;
  readonly config: ModelConfig | ServeError;
  readonly settings: RepositorySettings;
  /** Oldest first: the names in natural order, so that v1.10 comes after v1.9. */
  readonly versions: readonly VersionFolder[];
}

export interface VersionFolder {
  readonly version: string;
  /** The model file, which may turn out to be missing. */
  readonly path: string;
  /** Its content, where a load request brought it along. */
  readonly bytes?: Uint8Array;
}

/** What stands in for a model's files in one load. */
export interface LoadOverride {
  /** The text of a `config.pbtxt`, or the same as JSON. */
  readonly config: string;
  /** Model files by their path in the model's folder, such as `1/model.onnx`. With any, only their versions are served. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Changes whenever the model's files do. */
export function fingerprint({ name, config, settings, versions }: ModelFolder): string {
  const files = versions.map(({ version, path, bytes }) => {
    const about = bytes === undefined ? statSync(path, { throwIfNoEntry: false }) : undefined;
    return [version, path, about?.mtimeMs, about?.size, bytes?.byteLength];
  });
  const said = config instanceof ServeError ? config.message : config;
  return JSON.stringify([name, said, settings.declared, settings.labels, files]);
}

/** Reads a repository again and again. */
export class Repository {
  readonly #root: string;
  readonly #schema = tritonSchema();

  /** @throws {ServeError} `INVALID_CONFIG` when the folder does not exist. */
  constructor(root: string) {
    if (!existsSync(root)) {
      throw new ServeError(
        'INVALID_CONFIG',
        `MODEL_PATH names the folder ${root}, which does not exist; write the folder that holds <model>/<version>/model.onnx.`,
      );
    }
    this.#root = root;
  }

  /** Every model. Folders that hold none are left alone. */
  scan(): readonly ModelFolder[] {
    return this.#read(readdirSync(this.#root)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The model of that name as it is now, or as `override` has it. */
  find(name: string, override?: LoadOverride): ModelFolder | undefined {
    if (override === undefined) {
      // A model of a Hugging Face folder has the name of the folder before its own.
      const places = readdirSync(this.#root).filter(
        (entry) => entry === `${name}.onnx` || `${name}.`.startsWith(`${entry}.`),
      );
      return this.#read(places).find((model) => model.name === name);
    }
    // A model may come whole with the request; but a name is no way out of the repository.
    if (!/^[^/\\]+$/.test(name) || name.startsWith('.')) return undefined;
    const { config, files } = override;
    if (files.size === 0 && !existsSync(join(this.#root, name))) return undefined;
    return this.#triton(name, config, files);
  }

  #read(entries: readonly string[]): readonly ModelFolder[] {
    const loose = entries.filter((name) => name.endsWith('.onnx'));
    return [
      ...loose.map((file) => bareModel(basename(file, '.onnx'), join(this.#root, file))),
      ...foldersOf(this.#root, entries).flatMap((name) => this.#modelsIn(name)),
    ];
  }

  #modelsIn(name: string): readonly ModelFolder[] {
    const folder = join(this.#root, name);
    const triton = join(folder, 'config.pbtxt');
    if (existsSync(triton)) return [this.#triton(name, readFileSync(triton, 'utf8'))];
    const graphs = graphsOf(folder);
    if (graphs.length > 0) return graphs.map(({ part, path }) => huggingFace(name, part, path));
    return [versioned(name, folder)].filter(({ versions }) => versions.length > 0);
  }

  #triton(name: string, text: string, files: LoadOverride['files'] = new Map()): ModelFolder {
    const folder = join(this.#root, name);
    const given = new Set([...files.keys()].map((path) => path.split('/', 1)[0]!));
    const numbers = (given.size > 0 ? sorted([...given]) : versionNames(folder)).filter((version) =>
      /^[1-9]\d*$/.test(version),
    );
    try {
      const model = readTriton(name, folder, text, this.#schema);
      const versions = numbers
        .filter((version) => model.selects(version, numbers))
        .map((version): VersionFolder => {
          const bytes = files.get(`${version}/${model.filename}`);
          const path = join(folder, version, model.filename);
          return { version, path, ...(bytes === undefined ? {} : { bytes }) };
        });
      return { name, config: model.config, settings: model.settings, versions };
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      const versions = numbers.map((version) => ({ version, path: join(folder, version) }));
      return { name, config: error, settings: DEFAULT_SETTINGS, versions };
    }
  }
}

function bareModel(name: string, path: string): ModelFolder {
  return {
    name,
    config: {},
    settings: DEFAULT_SETTINGS,
    versions: [{ version: ONLY_VERSION, path }],
  };
}

function huggingFace(folder: string, part: string, path: string): ModelFolder {
  const name = part === '' ? folder : `${folder}.${part}`;
  const versions = [{ version: ONLY_VERSION, path }];
  const home = basename(dirname(path)) === 'onnx' ? dirname(dirname(path)) : dirname(path);
  try {
    const { labels } = readHuggingFace(folder, home);
    const settings =
      labels === undefined ? DEFAULT_SETTINGS : { ...DEFAULT_SETTINGS, labels: { logits: labels } };
    return { name, config: {}, settings, versions };
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return { name, config: error, settings: DEFAULT_SETTINGS, versions };
  }
}

function versioned(name: string, folder: string): ModelFolder {
  const versions = versionNames(folder).map((version) => ({
    version,
    path: join(folder, version, 'model.onnx'),
  }));
  const configPath = join(folder, 'model.json');
  const described = existsSync(configPath);
  const config = described ? readModelConfig(name, configPath) : {};
  const served = described || versions.some((version) => existsSync(version.path));
  if (!served) {
    const path = join(folder, 'model.onnx');
    return existsSync(path) ? bareModel(name, path) : { ...bareModel(name, path), versions: [] };
  }
  return { name, config, settings: DEFAULT_SETTINGS, versions };
}

const versionNames = (folder: string): string[] => sorted(folders(folder));

const sorted = (versions: string[]): string[] =>
  versions.sort(new Intl.Collator('en', { numeric: true }).compare);

const folders = (path: string): string[] => foldersOf(path, readdirSync(path));

function foldersOf(path: string, entries: readonly string[]): string[] {
  return entries
    .filter((name) => !name.startsWith('.') && statSync(join(path, name)).isDirectory())
    .sort();
}
