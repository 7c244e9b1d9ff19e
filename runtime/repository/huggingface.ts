/**
 * Models as Hugging Face and transformers.js keep them: `config.json`, and the graphs in `onnx/` or
 * beside it. The graph `model.onnx` is the model. The parts of a divided model (an encoder and its
 * decoders) are separate models, named `<folder>.<part>`, unless the folder has all that it takes to generate text
 * (`generator.ts`). If a graph exists in several precisions, the most exact one is served, if nothing else is said.
 *
 * @module
 */

import { ServeError } from '../errors.ts';
import { imageTaskOfConfig } from '../image/index.ts';
import type { MediaTaskName } from '../tasks/index.ts';
import { type FolderSigns, taskOfConfig } from '../text/index.ts';
import { type Entry, listFolder, readJson, type Skip } from './files.ts';
import { generatorOf } from './generator.ts';
import { byModel, chooseModelFile, MODEL_FILE, type ModelFile, mostExact } from './model-file.ts';
import type { Graph, MediaFolder, VersionFolder } from './model-folder.ts';
import { skipConfigs } from './unused-configs.ts';

/** The fields of `config.json` that are used. */
export interface HuggingFaceConfig {
  /** Names of the classes in the order of the scores. */
  readonly labels: readonly string[] | undefined;
  /** What the model does with texts or images; undefined if the file does not say so. */
  readonly task: MediaTaskName | undefined;
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
  const names = graphs.filter(({ kind }) => kind === 'file').map(({ name }) => name);
  const models = byModel(names);
  const toGraph = (part: string, chosen: ModelFile, variants: readonly string[]): Graph => {
    const files = variants.map((name) => ({
      name,
      path: graphs.find((g) => g.name === name)!.path,
    }));
    const { path } = files.find(({ name }) => name === chosen.name)!;
    return { part, path, files, notes: chosen.notes };
  };
  const whole = models.get('model');
  if (whole !== undefined) return [toGraph('', mostExact(whole, MODEL_FILE), whole)];
  const parts = [...models].filter(([name]) => PART.test(name));
  if (parts.length > 0) {
    return parts.map(([name, files]) => toGraph(name, mostExact(files, `${name}.onnx`), files));
  }
  const chosen = chooseModelFile(names);
  return typeof chosen === 'string' ? chosen : [toGraph('', chosen, [...models.values()].flat())];
}

const modelFiles = (entries: readonly Entry[]) =>
  entries.filter(({ name }) => name.toLowerCase().endsWith('.onnx'));

/**
 * @param name The name of the model, for messages.
 * @param entries The entries of the folder, among them `config.json`.
 * @throws {ServeError} `INVALID_CONFIG` for a file that cannot be read.
 */
export async function readHuggingFace(
  name: string,
  entries: readonly Entry[],
): Promise<HuggingFaceConfig> {
  const { path } = entries.find((entry) => entry.name === 'config.json')!;
  const what = `config.json of '${name}'`;
  const config = await readJson(path, what);
  const labels = typeof config === 'object' && config !== null && 'id2label' in config;
  const signs = signsIn(entries);
  return {
    labels: labels ? labelsById(config.id2label) : undefined,
    task: taskOfConfig(config, signs) ?? imageTaskOfConfig(config, signs.hasPreprocessor),
  };
}

function signsIn(entries: readonly Entry[]): FolderSigns {
  const has = (wanted: string) => entries.some(({ name }) => name === wanted);
  return {
    hasModules: has('modules.json'),
    hasPreprocessor: has('preprocessor_config.json') || has('processor_config.json'),
  };
}

/** Undefined unless there is a name for each number from 0 on. */
function labelsById(id2label: unknown): readonly string[] | undefined {
  if (typeof id2label !== 'object' || id2label === null) return undefined;
  const byId = new Map(Object.entries(id2label).map(([id, label]) => [Number(id), String(label)]));
  const labels = Array.from({ length: byId.size }, (_, id) => byId.get(id));
  const complete = labels.every((label) => label !== undefined);
  return complete && labels.length > 0 ? labels : undefined;
}

/**
 * The folder, if files in it may say how a model takes texts or images. A `config.json` that cannot be read says nothing here: it
 * may be a file of something else.
 */
export async function mediaFolderOf(
  name: string,
  entries: readonly Entry[],
  path: string,
): Promise<MediaFolder | undefined> {
  const has = (file: string) =>
    entries.some((entry) => entry.name === file && entry.kind === 'file');
  if (!has('config.json')) {
    return has('tokenizer.json') || has('preprocessor_config.json')
      ? { path, task: undefined }
      : undefined;
  }
  try {
    const { task } = await readHuggingFace(name, entries);
    return { path, task };
  } catch (error) {
    if (error instanceof ServeError) return { path, task: undefined };
    throw error;
  }
}

/**
 * The version that all graphs of a folder make together: the whole model, or the parts that generate text.
 *
 * @param task What `model.json` says the model does; otherwise it is what `config.json` says.
 * @returns Undefined if each of them is a model of its own.
 */
export function onlyVersion(
  graphs: readonly Graph[],
  media: MediaFolder | undefined,
  entries: readonly Entry[],
  task: MediaTaskName | undefined = media?.task,
): Omit<VersionFolder, 'version' | 'bytes'> | undefined {
  const belongs = media === undefined ? {} : { media };
  const hasTokenizer = entries.some(({ name }) => name === 'tokenizer.json');
  const generator = hasTokenizer ? generatorOf(graphs, task) : undefined;
  if (generator !== undefined) {
    return { path: generator.decoder[0]!.path, notes: [], generator, ...belongs };
  }
  const [whole, ...others] = graphs;
  if (whole?.part !== '' || others.length > 0) return undefined;
  const { path, notes, files } = whole;
  return { path, notes, ...(files.length > 1 ? { variants: files } : {}), ...belongs };
}
