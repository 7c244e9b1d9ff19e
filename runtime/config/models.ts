/** @module Settings of the model repository, and of how its models are run. */

import { resolve } from 'node:path';
import { z } from 'zod';
import { DEVICE, DEVICE_FORM } from '../device.ts';
import { flag, setting, text, whole } from './setting.ts';

const NAMES = 'names of models, separated by commas';

const loadModels = z
  .union([z.string(), z.array(z.string())], NAMES)
  .transform((names) => (Array.isArray(names) ? names : names.split(',')).map((n) => n.trim()))
  .pipe(z.array(z.string().min(1, NAMES)));

/** Hugging Face names a model after its organisation and itself, and its folder is named after itself. */
const modelName = text
  .transform((name) => name.split('/').at(-1)!.trim())
  .pipe(z.string().min(1, 'the name of a model'));

export const modelSettings = {
  MODEL_PATH: setting(text.default('models'), 'Folder of the model repository', 'models'),
  CACHE_DIR: setting(
    text.default('.millrace/cache'),
    'Folder for measured costs of models, which are kept between two starts, and for copies of external data',
    '.millrace/cache',
  ),
  DEFAULT_MODEL: setting(text.optional(), 'Model for requests that name none', 'iris'),
  TRANSFORMER_MODEL: setting(
    modelName.optional(),
    'Model for requests about texts that name none, if it has their task; of org/name only the last part counts',
    'sentence-transformers/all-MiniLM-L6-v2',
  ),
  MAX_SEQ_LENGTH: setting(
    whole(8, 1_048_576).optional(),
    'Maximum tokens of a text that a model reads at once, if it can read more',
    '512',
  ),
  MODEL_CONTROL_MODE: setting(
    z.enum(['none', 'poll', 'explicit'], 'one of none, poll, explicit').default('none'),
    'Whether models change while the server runs: poll follows changes on disk, explicit loads what clients ask for',
    'explicit',
  ),
  LOAD_MODEL: setting(
    loadModels.default([]),
    'With MODEL_CONTROL_MODE=explicit: models to load at the start; * means all',
    'iris',
  ),
  REPOSITORY_POLL_SECS: setting(
    whole(1, 86_400).default(15),
    'With MODEL_CONTROL_MODE=poll: seconds between two polls',
    '15',
  ),
  STRICT_READINESS: setting(
    flag.default(true),
    'Whether /v2/health/ready is 503 while any model is not ready or no model is served',
    'false',
  ),
  DEVICE: setting(
    z.string().regex(DEVICE, DEVICE_FORM).default('cpu'),
    `Device on which models run: ${DEVICE_FORM}`,
    'cpu',
  ),
  ENGINE_CACHE: setting(
    text.default('.millrace/engines'),
    'Folder for the engines that TensorRT builds',
    'engines',
  ),
  BATCH_SIZE: setting(whole(1, 65_536).optional(), 'Maximum rows of one run', '32'),
  ORT_LIBRARY: setting(
    text.optional(),
    'ONNX Runtime library to load; by default the one in onnxruntime-node',
    'libonnxruntime.so',
  ),
};

type Settings = z.infer<z.ZodObject<typeof modelSettings>>;

export interface ModelSettings {
  /** Absolute path of the model repository. */
  readonly modelPath: string;
  /** Absolute path of the folder for measured costs and copies of external data. */
  readonly cacheDir: string;
  readonly defaultModel: string | undefined;
  /** The default model of tasks on text that it has. */
  readonly transformerModel: string | undefined;
  /** Most tokens that a model reads at once, special ones included. */
  readonly maxSequenceLength: number | undefined;
  readonly modelControlMode: 'none' | 'poll' | 'explicit';
  readonly loadModels: readonly string[];
  readonly repositoryPollMs: number;
  readonly strictReadiness: boolean;
  readonly device: string;
  /** Absolute path of the folder of TensorRT's engines. */
  readonly engineCache: string;
  readonly batchSize: number | undefined;
  readonly ortLibrary: string | undefined;
}

export function readModelSettings(settings: Settings, cwd: string): ModelSettings {
  return {
    modelPath: resolve(cwd, settings.MODEL_PATH),
    cacheDir: resolve(cwd, settings.CACHE_DIR),
    defaultModel: settings.DEFAULT_MODEL,
    transformerModel: settings.TRANSFORMER_MODEL,
    maxSequenceLength: settings.MAX_SEQ_LENGTH,
    modelControlMode: settings.MODEL_CONTROL_MODE,
    loadModels: settings.LOAD_MODEL,
    repositoryPollMs: settings.REPOSITORY_POLL_SECS * 1000,
    strictReadiness: settings.STRICT_READINESS,
    device: settings.DEVICE,
    engineCache: resolve(cwd, settings.ENGINE_CACHE),
    batchSize: settings.BATCH_SIZE,
    ortLibrary: settings.ORT_LIBRARY,
  };
}

/** A sentence about settings that contradict each other; undefined if none do. */
export function modelContradiction({ LOAD_MODEL, MODEL_CONTROL_MODE }: Settings) {
  return LOAD_MODEL.length > 0 && MODEL_CONTROL_MODE !== 'explicit'
    ? `LOAD_MODEL has no effect with MODEL_CONTROL_MODE=${MODEL_CONTROL_MODE}; write MODEL_CONTROL_MODE=explicit, or leave LOAD_MODEL out`
    : undefined;
}
