/**
 * Models as Hugging Face and transformers.js keep them: `config.json`, and the graphs in `onnx/` or
 * beside it. The graph `model.onnx` is the model. The parts of a divided model (an encoder and its
 * decoders) are separate models, named `<folder>.<part>`. If a graph exists in several precisions, the most exact
 * one is served.
 *
 * @module
 */

import { type Entry, listFolder, readJson, type Skip } from './files.ts';
import { byModel, chooseModelFile, MODEL_FILE, type ModelFile, mostExact } from './model-file.ts';
import { skipConfigs } from './versions.ts';

/** A graph that is served. */
export interface Graph {
  /** The name of the part; '' for a whole model. */
  readonly part: string;
  readonly path: string;
  readonly notes: readonly string[];
}

/** The fields of `config.json` that are used. */
export interface HuggingFaceConfig {
  /** Names of the classes in the order of the scores. */
  readonly labels: readonly string[] | undefined;
}

const PART = /^(?:encoder|decoder|vision|text|audio|embed|prompt)/;

/**
 * The graphs of a folder that has a `config.json`.
 *
 * @param entries The entries of the folder.
 * @returns the graphs, or a sentence that says why there are none
 */
export async function findGraphs(
  entries: readonly Entry[],
  skip: Skip,
): Promise<readonly Graph[] | string> {
  const onnx = entries.find(({ name, kind }) => name === 'onnx' && kind === 'folder');
  const inside = onnx === undefined ? [] : await listFolder(onnx, skip);
  skipConfigs(inside, skip);
  const inOnnx = modelFiles(inside);
  const graphs = inOnnx.length > 0 ? inOnnx : modelFiles(entries);
  const broken = graphs.find(({ name, kind }) => name === MODEL_FILE && kind !== 'file');
  if (broken !== undefined) return `Its ${MODEL_FILE} is not a file that can be read`;
  const files = graphs.filter(({ kind }) => kind === 'file').map(({ name }) => name);
  const toGraph = (part: string, { name, notes }: ModelFile): Graph => ({
    part,
    path: graphs.find((graph) => graph.name === name)!.path,
    notes,
  });
  const models = byModel(files);
  const whole = models.get('model');
  if (whole !== undefined) return [toGraph('', mostExact(whole, MODEL_FILE))];
  const parts = [...models].filter(([name]) => PART.test(name));
  if (parts.length > 0) {
    return parts.map(([name, variants]) => toGraph(name, mostExact(variants, `${name}.onnx`)));
  }
  const chosen = chooseModelFile(files);
  return typeof chosen === 'string' ? chosen : [toGraph('', chosen)];
}

const modelFiles = (entries: readonly Entry[]) =>
  entries.filter(({ name }) => name.toLowerCase().endsWith('.onnx'));

/**
 * @param path The path of `config.json`.
 * @throws {ServeError} `INVALID_CONFIG` for a file that cannot be read.
 */
export async function readHuggingFace(name: string, path: string): Promise<HuggingFaceConfig> {
  const what = `config.json of '${name}'`;
  const config = await readJson(path, what);
  const labels = typeof config === 'object' && config !== null && 'id2label' in config;
  return { labels: labels ? labelsById(config.id2label) : undefined };
}

/** Undefined unless there is a name for each number from 0 on. */
function labelsById(id2label: unknown): readonly string[] | undefined {
  if (typeof id2label !== 'object' || id2label === null) return undefined;
  const byId = new Map(Object.entries(id2label).map(([id, label]) => [Number(id), String(label)]));
  const labels = Array.from({ length: byId.size }, (_, id) => byId.get(id));
  const complete = labels.every((label) => label !== undefined);
  return complete && labels.length > 0 ? labels : undefined;
}
