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

import type protobuf from 'protobufjs';
import { ServeError } from '../errors.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import { type Entry, listFolder, type Skip, type Skipped } from './files.ts';
import { findGraphs, type Graph, readHuggingFace } from './huggingface.ts';
import { NO_MODEL } from './model-file.ts';
import { type ModelFolder, ONLY_VERSION } from './model-folder.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { readTritonFolder } from './triton-folder.ts';
import { findVersions, named, USUAL } from './versions.ts';

/** The models of a folder; `skip` learns what of it is not served. */
export function readModels(
  folder: Entry,
  schema: protobuf.Root,
  skip: Skip,
): readonly ModelFolder[] {
  const inside: Skipped[] = [];
  const skipInside: Skip = (name, reason) => inside.push({ name, reason });
  const entries = listFolder(folder, skipInside);
  const models = readLayout(folder, entries, schema, skipInside);
  const isModel = typeof models !== 'string' || entries.some(({ name }) => isConfig(name));
  for (const { name, reason } of inside) {
    // In a folder that is no model, folders without model files are nothing to report.
    if (isModel || !reason.startsWith(NO_MODEL)) skip(name, reason);
  }
  if (typeof models !== 'string') return models;
  skip(folder.label, models);
  return [];
}

const isConfig = (name: string) => ['config.pbtxt', 'config.json', 'model.json'].includes(name);

/** The models, or a sentence that says why there are none. */
function readLayout(
  folder: Entry,
  entries: readonly Entry[],
  schema: protobuf.Root,
  skip: Skip,
): readonly ModelFolder[] | string {
  const triton = named(entries, 'config.pbtxt');
  if (triton !== undefined) return readTritonFolder(folder, entries, triton, schema, skip);
  const huggingFace = named(entries, 'config.json');
  if (huggingFace === undefined) return readOurs(folder, entries, skip);
  const graphs = findGraphs(entries, skip);
  if (typeof graphs !== 'string') {
    return graphs.map((graph) => readGraph(folder.name, entries, huggingFace.path, graph));
  }
  const models = readOurs(folder, entries, skip);
  return typeof models === 'string' ? graphs : models;
}

function readOurs({ name }: Entry, entries: readonly Entry[], skip: Skip) {
  const versions = findVersions(entries, USUAL, skip);
  if (typeof versions === 'string') return versions;
  return [{ name, config: readConfig(name, entries), settings: DEFAULT_SETTINGS, versions }];
}

function readConfig(name: string, entries: readonly Entry[]): ModelConfig | ServeError {
  const file = named(entries, 'model.json');
  return file === undefined ? {} : readModelConfig(name, file.path);
}

/** A graph of a folder from Hugging Face. */
function readGraph(
  folder: string,
  entries: readonly Entry[],
  configPath: string,
  { part, path, notes }: Graph,
): ModelFolder {
  const name = part === '' ? folder : `${folder}.${part}`;
  const versions = [{ version: ONLY_VERSION, path, notes }];
  try {
    const { labels } = readHuggingFace(folder, configPath);
    const settings =
      labels === undefined ? DEFAULT_SETTINGS : { ...DEFAULT_SETTINGS, labels: { logits: labels } };
    return { name, config: readConfig(folder, entries), settings, versions };
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return { name, config: error, settings: DEFAULT_SETTINGS, versions };
  }
}
