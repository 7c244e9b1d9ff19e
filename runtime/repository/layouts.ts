/**
 * Reads one folder of the repository in the first of these layouts that fits:
 *
 * ```
 * config.pbtxt   Triton’s: numbered versions
 * config.json    Hugging Face’s: onnx/model.onnx, or the parts of a model
 * otherwise      ours: folders of versions, with or without model.json beside them
 * ```
 *
 * @module
 */

import { basename } from 'node:path';
import type protobuf from 'protobufjs';
import { ServeError } from '../errors.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { type Entry, listFolder, type Skip, type Skipped } from './files.ts';
import { findGraphs, type Graph, readHuggingFace } from './huggingface.ts';
import { NO_MODEL } from './model-file.ts';
import { type ModelFolder, ONLY_VERSION, type VersionFolder } from './model-folder.ts';
import { DEFAULT_SETTINGS, type RepositorySettings } from './settings.ts';
import { readTritonFolder } from './triton-folder.ts';
import { findVersions, named, USUAL } from './versions.ts';

/** The models of one folder, and its entries that are not served. */
export async function readModels(
  folder: Entry,
  schema: protobuf.Root,
): Promise<{ readonly models: readonly ModelFolder[]; readonly skipped: readonly Skipped[] }> {
  const inside: Skipped[] = [];
  const skipInside: Skip = (name, reason) => inside.push({ name, reason });
  const entries = await listFolder(folder, skipInside);
  const models = await readLayout(folder, entries, schema, skipInside);
  const isModel = typeof models !== 'string' || entries.some(({ name }) => isConfig(name));
  // In a folder that is not a model, folders without model files are not reported.
  const skipped = inside.filter(({ reason }) => isModel || !reason.startsWith(NO_MODEL));
  if (typeof models !== 'string') return { models, skipped };
  if (holdsScripts(entries)) return { models: [], skipped };
  return { models: [], skipped: [...skipped, { name: folder.label, reason: models }] };
}

/** Whether a folder holds scripts, such as those that train models, and nothing to serve. */
const holdsScripts = (entries: readonly Entry[]): boolean =>
  entries.some(({ name }) => /\.(?:py|sh|ipynb)$/.test(name)) &&
  entries.every(({ name, kind }) =>
    kind === 'folder' ? name === '__pycache__' : /\.(?:py|sh|ipynb|md|txt)$/.test(name),
  );

export const isConfig = (name: string): boolean =>
  ['config.pbtxt', 'config.json', 'model.json'].includes(name);

/** The models, or a sentence that says why there are none. */
async function readLayout(
  folder: Entry,
  entries: readonly Entry[],
  schema: protobuf.Root,
  skip: Skip,
): Promise<readonly ModelFolder[] | string> {
  const triton = named(entries, 'config.pbtxt');
  if (triton !== undefined) return readTritonFolder(folder, entries, triton, schema, skip);
  const huggingFace = named(entries, 'config.json');
  if (huggingFace === undefined) return readOurs(folder, entries, skip);
  const graphs = await findGraphs(entries, skip);
  if (typeof graphs !== 'string') {
    const read = (graph: Graph) => readGraph(folder.name, entries, huggingFace.path, graph, graphs);
    return Promise.all(graphs.map(read));
  }
  const settings = await labelSettings(folder.name, huggingFace.path).catch(withNote);
  const models = await readOurs(folder, entries, skip, settings);
  return typeof models === 'string' ? graphs : models;
}

async function readOurs(
  { name }: Entry,
  entries: readonly Entry[],
  skip: Skip,
  settings = DEFAULT_SETTINGS,
) {
  const versions = await findVersions(entries, USUAL, skip);
  if (typeof versions === 'string') return versions;
  const config = await readConfig(name, entries, versions);
  return [{ name, config, settings, versions }];
}

/** Settings with the labels of a `config.json`. @throws {ServeError} `INVALID_CONFIG` */
async function labelSettings(name: string, path: string): Promise<RepositorySettings> {
  const { labels } = await readHuggingFace(name, path);
  return labels === undefined
    ? DEFAULT_SETTINGS
    : { ...DEFAULT_SETTINGS, labels: { logits: labels } };
}

/** Turns an unreadable `config.json` into a note: beside version folders, it may be a file of something else. */
function withNote(error: unknown): RepositorySettings {
  if (!(error instanceof ServeError)) throw error;
  return { ...DEFAULT_SETTINGS, notes: [error.message.replace(/\.$/, '')] };
}

/** The configuration in `model.json`, or an empty one if the entries of a model's folder have no such file. */
export async function readConfig(
  name: string,
  entries: readonly Entry[],
  versions: readonly VersionFolder[],
): Promise<ModelConfig | ServeError> {
  const file = named(entries, 'model.json');
  if (file === undefined) return {};
  const names = versions.map(({ version }) => version);
  return readModelConfig(name, file.path, names);
}

/** A graph of a folder from Hugging Face. */
async function readGraph(
  folder: string,
  entries: readonly Entry[],
  configPath: string,
  { part, path, notes }: Graph,
  graphs: readonly Graph[],
): Promise<ModelFolder> {
  const name = part === '' ? folder : `${folder}.${part}`;
  const files = graphs.map((graph) => basename(graph.path));
  const mayUse = (beside: string) => !files.includes(beside);
  const versions = [{ version: ONLY_VERSION, path, mayUse, notes }];
  try {
    const settings = await labelSettings(folder, configPath);
    return { name, config: await readConfig(folder, entries, versions), settings, versions };
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return { name, config: error, settings: DEFAULT_SETTINGS, versions };
  }
}
