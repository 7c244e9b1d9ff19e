/**
 * What sentence-transformers does with the outputs of an embedding model: the modules that `modules.json` lists, of which the
 * first is the model itself, and the prompts of `config_sentence_transformers.json`.
 *
 * @module
 */

import { z } from 'zod';
import type { PoolMode } from '../../native/index.ts';
import { readBytes } from '../repository/files.ts';
import type { DescribedFolder } from './described-folder.ts';
import { MAX_WEIGHTS_BYTES, parseSafetensors, type WeightTensor } from './safetensors.ts';
import type { DenseLayer, EmbeddingHead } from './text-model.ts';

const MODULES = 'modules.json';
const PROMPTS = 'config_sentence_transformers.json';

const whole = z.int().min(1);

const modulesSchema = z.array(z.object({ path: z.string(), type: z.string() })).min(1);

/** Modes by the names of their switches in older files, in the order in which their vectors are joined. */
const SWITCHES = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'last',
} as const satisfies Record<string, PoolMode>;

const MODES = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;
const flag = z.boolean().nullish();

const poolingSchema = z.object({
  embedding_dimension: whole.nullish(),
  word_embedding_dimension: whole.nullish(),
  pooling_mode: z.union([z.enum(MODES), z.array(z.enum(MODES)).min(1).max(MODES.length)]).nullish(),
  pooling_mode_cls_token: flag,
  pooling_mode_max_tokens: flag,
  pooling_mode_mean_tokens: flag,
  pooling_mode_mean_sqrt_len_tokens: flag,
  pooling_mode_weightedmean_tokens: flag,
  pooling_mode_lasttoken: flag,
  include_prompt: flag,
});

const denseSchema = z.object({
  in_features: whole,
  out_features: whole,
  bias: z.boolean().nullish(),
  activation_function: z.string().nullish(),
  module_input_name: z.string().nullish(),
  use_residual: z.boolean().nullish(),
});

/** Activations by the class names of PyTorch. */
const ACTIVATIONS: Readonly<Record<string, DenseLayer['activation']>> = {
  Identity: 'identity',
  Tanh: 'tanh',
  ReLU: 'relu',
  GELU: 'gelu',
  Sigmoid: 'sigmoid',
};

const promptsSchema = z.object({
  prompts: z.record(z.string(), z.string().nullable()).nullish(),
  default_prompt_name: z.string().nullish(),
});

/** The modules, and why they cannot be applied if they cannot. */
export interface EmbeddingModules {
  readonly head: EmbeddingHead;
  /** A sentence without a full stop; undefined if all modules are known. */
  readonly obstacle: string | undefined;
}

/** @throws {ServeError} `INVALID_CONFIG` that names the file and its first mistake. */
export async function readModules(folder: DescribedFolder): Promise<EmbeddingModules> {
  const modules = await folder.readOptional(MODULES, modulesSchema);
  const prompts = await readPrompts(folder);
  const none = { pooling: ['mean'] as const, poolsPrompt: true, dense: [], dimensions: undefined };
  // A model that is not from sentence-transformers says nothing of this, and its vectors are most useful so.
  if (modules === undefined) {
    return { head: { ...none, ...prompts, normalize: true }, obstacle: undefined };
  }
  let head: EmbeddingHead = { ...none, ...prompts, normalize: false };
  for (const [i, { path, type }] of modules.entries()) {
    checkPath(folder, i, path);
    const name = type.split('.').at(-1)!;
    if (name === 'Transformer' && i === 0) continue;
    if (name === 'Pooling') head = { ...head, ...(await readPooling(folder, path)) };
    else if (name === 'Normalize') head = { ...head, normalize: true };
    else if (name === 'Dense') {
      const layer = await readDense(folder, path);
      if (typeof layer === 'string') return { head, obstacle: layer };
      head = { ...head, dense: [...head.dense, layer], dimensions: layer.outFeatures };
    } else {
      const known = 'Transformer, Pooling, Dense and Normalize';
      return { head, obstacle: `${MODULES} has the module ${name}, and only ${known} are known` };
    }
  }
  return { head, obstacle: undefined };
}

/** @throws {ServeError} `INVALID_CONFIG` for a path that is not a folder beside the file. */
function checkPath(folder: DescribedFolder, index: number, path: string): void {
  if (/^[\w-][\w.-]*$|^$/.test(path)) return;
  const fault = `[${index}].path must be the name of a folder but is ${JSON.stringify(path)}`;
  throw folder.wrong(MODULES, fault);
}

async function readPooling(folder: DescribedFolder, path: string) {
  const config = await folder.read(`${path}/config.json`, poolingSchema);
  const { pooling_mode, embedding_dimension, word_embedding_dimension } = config;
  const named = pooling_mode === null || pooling_mode === undefined ? [] : [pooling_mode].flat();
  const modes = named.map((mode): PoolMode => (mode === 'lasttoken' ? 'last' : mode));
  const on = Object.entries(SWITCHES).filter(([key]) => config[key as keyof typeof SWITCHES]);
  const pooling = modes.length > 0 ? modes : on.map(([, mode]) => mode);
  const width = embedding_dimension ?? word_embedding_dimension ?? undefined;
  return {
    pooling: pooling.length > 0 ? pooling : (['mean'] as const),
    poolsPrompt: config.include_prompt ?? true,
    dimensions: width === undefined ? undefined : width * Math.max(pooling.length, 1),
  };
}

/** The layer, or a sentence that says why it cannot be applied. */
async function readDense(folder: DescribedFolder, path: string): Promise<DenseLayer | string> {
  const file = `${path}/config.json`;
  const config = await folder.read(file, denseSchema);
  const { in_features: inFeatures, out_features: outFeatures, bias = true } = config;
  const name = config.activation_function?.split('.').at(-1) ?? 'Tanh';
  const activation = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name]! : undefined;
  if (activation === undefined) {
    const known = Object.keys(ACTIVATIONS).join(', ');
    return `${file} has the activation ${name}, and only ${known} are known`;
  }
  if (config.use_residual === true) return `${file} has use_residual, which is not supported`;
  if ((config.module_input_name ?? 'sentence_embedding') !== 'sentence_embedding') {
    return `${file} is for ${config.module_input_name}, and only layers for sentence_embedding are supported`;
  }
  const weights = await readWeights(folder, path);
  const tensor = (key: string, shape: readonly number[]): Float32Array => {
    const found = weights.get(key);
    if (String(found?.shape) === String(shape)) return found!.data;
    const fault = `the tensor '${key}' must have the shape [${shape}] but ${found === undefined ? 'is missing' : `has [${found.shape}]`}`;
    throw folder.wrong(`${path}/model.safetensors`, fault);
  };
  return {
    inFeatures,
    outFeatures,
    weight: tensor('linear.weight', [outFeatures, inFeatures]),
    bias: bias === false ? undefined : tensor('linear.bias', [outFeatures]),
    activation,
  };
}

async function readWeights(
  folder: DescribedFolder,
  path: string,
): Promise<ReadonlyMap<string, WeightTensor>> {
  const file = `${path}/model.safetensors`;
  const bytes = await readBytes(
    folder.pathOf(file),
    `${file} of '${folder.model}'`,
    MAX_WEIGHTS_BYTES,
  );
  const tensors = parseSafetensors(bytes);
  if (typeof tensors !== 'string') return tensors;
  throw folder.wrong(file, tensors);
}

async function readPrompts(folder: DescribedFolder) {
  const found = await folder.readOptional(PROMPTS, promptsSchema);
  const texts = Object.entries(found?.prompts ?? {}).map(([name, text]) => [name, text ?? '']);
  const prompts: Record<string, string> = Object.fromEntries(texts);
  const defaultPrompt = found?.default_prompt_name ?? undefined;
  if (defaultPrompt !== undefined && !Object.hasOwn(prompts, defaultPrompt)) {
    const names =
      Object.keys(prompts)
        .map((name) => `'${name}'`)
        .join(', ') || 'none';
    throw folder.wrong(
      PROMPTS,
      `default_prompt_name is '${defaultPrompt}', but the names of its prompts are ${names}`,
    );
  }
  return { prompts, defaultPrompt };
}
