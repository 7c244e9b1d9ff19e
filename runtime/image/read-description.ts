/** @module Reads what the files beside a graph say about the images that it takes. */

import { z } from 'zod';
import { type DescribedFolder, problemType } from '../text/index.ts';
import type { HeadName, ImageDescription, ImageTaskName } from './image-model.ts';
import { namesInOrder } from './labels.ts';
import { preprocessorSchema, type ReadPreprocessing, readPreprocessing } from './preprocessing.ts';
import { timmPreprocessing, timmSchema } from './timm.ts';

const PREPROCESSOR = 'preprocessor_config.json';
const PROCESSOR = 'processor_config.json';

const configSchema = z.object({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
  id2label: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullish(),
  label_names: z.array(z.string()).nullish(),
  problem_type: problemType.nullish(),
  pretrained_cfg: timmSchema.nullish(),
});

type ImageConfig = Partial<z.infer<typeof configSchema>>;

const processorSchema = z.object({
  image_processor: preprocessorSchema.nullish(),
});

/** What `model.json` says instead of the other files. */
export interface ImageOverrides {
  readonly labels?: readonly string[] | undefined;
  readonly problem_type?: ImageDescription['problemType'];
  readonly head?: HeadName | undefined;
}

/** @throws {ServeError} `INVALID_CONFIG` that names the file and its first mistake. */
export async function readImageDescription(
  folder: DescribedFolder,
  task: ImageTaskName,
  overrides: ImageOverrides = {},
): Promise<ImageDescription> {
  const config: ImageConfig = (await folder.readOptional('config.json', configSchema)) ?? {};
  const modelType = config.model_type ?? undefined;
  const architecture = config.architectures?.[0];
  const { preprocessing, obstacle, notes } = await preprocessingOf(folder, config, modelType);
  return {
    task,
    preprocessing,
    labels: overrides.labels ?? labelsOf(folder, config),
    problemType: overrides.problem_type ?? config.problem_type ?? undefined,
    head: overrides.head ?? headOfConfig(task, architecture, modelType),
    architecture,
    modelType,
    obstacle,
    notes,
  };
}

/** In the order in which transformers looks for the description. */
async function preprocessingOf(
  folder: DescribedFolder,
  { pretrained_cfg }: ImageConfig,
  modelType: string | undefined,
): Promise<ReadPreprocessing> {
  const whole = await folder.readOptional(PROCESSOR, processorSchema);
  const nested = whole?.image_processor ?? undefined;
  const own = await folder.readOptional(PREPROCESSOR, preprocessorSchema);
  const [keys, file] = nested === undefined ? [own, PREPROCESSOR] : [nested, PROCESSOR];
  if (keys !== undefined) {
    return readPreprocessing(keys, file, modelType, (fault) => folder.wrong(file, fault));
  }
  return pretrained_cfg
    ? timmPreprocessing(pretrained_cfg)
    : { preprocessing: undefined, obstacle: undefined, notes: [] };
}

/** @throws {ServeError} `INVALID_CONFIG` unless the keys of `id2label` are numbers. */
function labelsOf(
  folder: DescribedFolder,
  { id2label, label_names }: ImageConfig,
): readonly string[] | undefined {
  if (!id2label) return label_names ?? undefined;
  const entries = Object.entries(id2label).map(([id, label]) => [id, String(label)] as const);
  const names = namesInOrder(entries);
  if (typeof names === 'string') throw folder.wrong('config.json', `id2label ${names}`);
  return names ?? label_names ?? undefined;
}

/** What an architecture of transformers returns; undefined if that is not known. */
function headOfConfig(
  task: ImageTaskName,
  architecture = '',
  modelType = '',
): HeadName | undefined {
  if (task === 'object-detection') {
    const isDetr =
      /detr|^d_fine|^yolos$|^table-transformer$|^deta$/.test(modelType) ||
      architecture.endsWith('ForObjectDetection');
    return isDetr ? 'detr' : undefined;
  }
  if (task !== 'image-segmentation') return undefined;
  if (architecture.endsWith('ForSemanticSegmentation')) return 'semantic';
  const isMaskformer =
    /^(?:maskformer|mask2former|oneformer|detr|eomt)/.test(modelType) ||
    /For(?:Universal|Instance)?Segmentation$/.test(architecture);
  return isMaskformer ? 'maskformer' : undefined;
}
