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
import { isMediaTask } from '../tasks/index.ts';
import { tokenizerAdvice } from '../text/index.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { type Entry, listFolder, type Skip, type Skipped } from './files.ts';
import { findGraphs, mediaFolderOf, onlyVersion, readHuggingFace } from './huggingface.ts';
import { NO_MODEL } from './model-file.ts';
import { type Graph, type ModelFolder, ONLY_VERSION } from './model-folder.ts';
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
  const onlyWeights = models.startsWith(NO_MODEL) && entries.some(({ name }) => WEIGHTS.test(name));
  const reason = onlyWeights ? ONLY_WEIGHTS : models;
  return { models: [], skipped: [...skipped, { name: folder.label, reason }] };
}

/** The names that transformers gives to files of weights. */
const WEIGHTS = /^(?:model.*\.safetensors|pytorch_model.*\.bin)$/;
const ONLY_WEIGHTS = `${NO_MODEL}, but weights of PyTorch: make one with optimum-cli export onnx --model FOLDER NEW-FOLDER`;

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
  if (typeof graphs !== 'string') return readGraphs(folder, entries, graphs);
  const settings = await labelSettings(folder.name, entries).catch(withNote);
  const models = await readOurs(folder, entries, skip, settings);
  return typeof models === 'string' ? graphs : models;
}

async function readOurs(
  { name, path }: Entry,
  entries: readonly Entry[],
  skip: Skip,
  settings = DEFAULT_SETTINGS,
) {
  const found = await findVersions(entries, USUAL, skip);
  if (typeof found === 'string') return found;
  const config = await readConfig(
    name,
    entries,
    found.map(({ version }) => version),
  );
  // What lies beside the folders of versions belongs to all that have nothing of the kind themselves.
  const shared = await mediaFolderOf(name, entries, path);
  const versions =
    shared === undefined ? found : found.map((version) => ({ media: shared, ...version }));
  return [{ name, config, settings, versions }];
}

/** Settings with the labels of a `config.json`. @throws {ServeError} `INVALID_CONFIG` */
async function labelSettings(name: string, entries: readonly Entry[]): Promise<RepositorySettings> {
  const { labels } = await readHuggingFace(name, entries);
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
  versions: readonly string[],
): Promise<ModelConfig | ServeError> {
  const file = named(entries, 'model.json');
  return file === undefined ? {} : readModelConfig(name, file.path, versions);
}

/** The models of a folder from Hugging Face: one, or each of its graphs. */
async function readGraphs(
  folder: Entry,
  entries: readonly Entry[],
  graphs: readonly Graph[],
): Promise<readonly ModelFolder[]> {
  const { name } = folder;
  const model = await readFace(name, entries);
  const media = await mediaFolderOf(name, entries, folder.path);
  const task = model.config instanceof ServeError ? undefined : model.config.task;
  const only = onlyVersion(graphs, media, entries, isMediaTask(task) ? task : media?.task);
  if (only !== undefined) {
    const files = [basename(only.path)];
    const alone = only.generator === undefined ? { mayUse: notOf(files) } : {};
    return [{ name, ...model, versions: [{ version: ONLY_VERSION, ...alone, ...only }] }];
  }
  const files = graphs.map((graph) => basename(graph.path));
  const generates = media?.task?.endsWith('generation') ?? false;
  const missing = generates && named(entries, 'tokenizer.json') === undefined;
  const advice = missing ? [tokenizerAdvice((file) => named(entries, file) !== undefined)] : [];
  return graphs.map(({ part, path, notes }) => {
    const version = {
      version: ONLY_VERSION,
      path,
      mayUse: notOf(files),
      notes: [...notes, ...advice],
    };
    return { name: part === '' ? name : `${name}.${part}`, ...model, versions: [version] };
  });
}

/** Whether external data may be in an entry, which is none of these model files. */
const notOf = (files: readonly string[]) => (beside: string) => !files.includes(beside);

/** The labels and the configuration of a folder from Hugging Face. */
async function readFace(
  name: string,
  entries: readonly Entry[],
): Promise<Pick<ModelFolder, 'config' | 'settings'>> {
  try {
    const settings = await labelSettings(name, entries);
    return { config: await readConfig(name, entries, [ONLY_VERSION]), settings };
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return { config: error, settings: DEFAULT_SETTINGS };
  }
}
