/**
 * A model in Triton's layout: numbered versions beside `config.pbtxt`. In a load request, a client's
 * configuration and files replace those on disk.
 *
 * @module
 */

import type protobuf from 'protobufjs';
import { ServeError } from '../errors.ts';
import { type Entry, readText, type Skip } from './files.ts';
import { chooseModelFile, MODEL_FILE } from './model-file.ts';
import { type ModelFolder, sortVersions, type VersionFolder } from './model-folder.ts';
import { refuseUnsafeOptions } from './provider-options.ts';
import { DEFAULT_SETTINGS, type RepositorySettings } from './settings.ts';
import { wrong } from './triton/config.ts';
import { readTriton, type TritonModel } from './triton.ts';
import { findVersions, named, type Wanted } from './versions.ts';

/** The configuration and files that replace those of a model in one load. */
export interface LoadOverride {
  /** The text of a `config.pbtxt`, or the same as JSON. */
  readonly config: string;
  /** Model files by their path, such as `1/model.onnx`. If there are any, only their versions are served. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The source of a model's versions: its folder, or the files of a load request. */
interface VersionSource {
  /** The names of all versions, whether or not they hold a model file. */
  readonly numbers: readonly string[];
  find(wanted: Wanted): Promise<readonly VersionFolder[] | string>;
}

/** The models of a folder, or a sentence that says why there are none. */
type Models = readonly ModelFolder[] | string;

/**
 * Longest configuration of a load request, characters. It is parsed on a thread that serves requests, which takes
 * 0.1 to 0.4 µs per character. Configurations have a few thousand characters.
 */
const MAX_OVERRIDE = 64 * 1024;

const isNumber = (name: string): boolean => /^[1-9]\d*$/.test(name);

/** The model as it is on disk. */
export function readTritonFolder(
  folder: Entry,
  entries: readonly Entry[],
  config: Entry,
  schema: protobuf.Root,
  skip: Skip,
): Promise<Models> {
  const { name } = folder;
  return readModel(name, versionsOnDisk(entries, skip), async () => {
    const text = await readText(config.path, `config.pbtxt of '${name}'`);
    const model = await readTriton(name, folder.path, text, schema);
    if (named(entries, 'model.json') === undefined) return model;
    return { ...model, settings: withNote(model.settings) };
  });
}

/** The model with the configuration and files of a load request. */
export function readOverride(
  folder: Entry,
  entries: readonly Entry[],
  { config, files }: LoadOverride,
  schema: protobuf.Root,
): Promise<Models> {
  const { name } = folder;
  const versions = files.size > 0 ? versionsInRequest(files) : versionsOnDisk(entries, () => {});
  return readModel(name, versions, async () => {
    if (config.length > MAX_OVERRIDE) {
      const most = `at most ${MAX_OVERRIDE} are allowed`;
      throw wrong(name, `it has ${config.length} characters, and ${most}`);
    }
    const model = await readTriton(name, folder.path, config, schema);
    refuseUnsafeOptions(name, model.settings.providerOptions);
    return model;
  });
}

/** A configuration that cannot be used fails every version with its reason. */
async function readModel(
  name: string,
  source: VersionSource,
  read: () => Promise<TritonModel>,
): Promise<Models> {
  let model: TritonModel;
  try {
    model = await read();
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    const versions = source.numbers.map((version) => ({ version, path: '', notes: [] }));
    if (versions.length === 0) return error.message.replace(/\.$/, '');
    return [{ name, config: error, settings: DEFAULT_SETTINGS, versions: sorted(versions) }];
  }
  const { config, settings, filename } = model;
  const all = await source.find({
    filename: filename ?? MODEL_FILE,
    mayDiffer: filename === undefined,
  });
  if (typeof all === 'string') return all;
  const numbers = all.map(({ version }) => version);
  const versions = all.filter(({ version }) => model.selects(version, numbers));
  if (versions.length > 0) return [{ name, config, settings, versions }];
  return `Its version_policy selects none of its versions: ${numbers.join(', ')}`;
}

function withNote(settings: RepositorySettings): RepositorySettings {
  return {
    ...settings,
    notes: [...settings.notes, 'model.json has no effect beside config.pbtxt'],
  };
}

function versionsOnDisk(entries: readonly Entry[], skip: Skip): VersionSource {
  const folders = entries.filter(({ kind, name }) => kind === 'folder' && isNumber(name));
  // The folder `warmup` holds the data of warm-ups.
  const others = entries.filter(({ name }) => name !== 'warmup');
  return {
    numbers: folders.map(({ name }) => name),
    find: (wanted) => findVersions(others, wanted, skip, isNumber),
  };
}

function versionsInRequest(files: LoadOverride['files']): VersionSource {
  const paths = [...files.keys()].map((path) => path.split('/', 2) as [string, string]);
  const numbers = [...new Set(paths.map(([version]) => version))];
  const find = async (wanted: Wanted) => {
    const versions: VersionFolder[] = [];
    for (const version of numbers) {
      const names = paths.filter(([folder]) => folder === version).map(([, name]) => name);
      const chosen = choose(names, wanted);
      if (typeof chosen === 'string') return `Version ${version}: ${chosen}`;
      const bytes = files.get(`${version}/${chosen.name}`)!;
      versions.push({ version, path: '', bytes, notes: chosen.notes });
    }
    return sorted(versions);
  };
  return { numbers, find };
}

function choose(names: readonly string[], { filename, mayDiffer }: Wanted) {
  if (names.includes(filename)) return { name: filename, notes: [] };
  return mayDiffer ? chooseModelFile(names) : `The request brings no file ${filename}`;
}

const sorted = (versions: readonly VersionFolder[]) =>
  sortVersions(versions, ({ version }) => version);
