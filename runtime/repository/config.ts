/** @module The schema of `model.json`, and how the file is read. */

import { z } from 'zod';
import { batchingSchema } from '../batching.ts';
import { checkSchema } from '../check-schema.ts';
import { DEVICE, DEVICE_FORM } from '../device.ts';
import { ServeError } from '../errors.ts';
import { taskConfigShape } from '../tasks/index.ts';
import { problemType } from '../text/index.ts';
import { readJson } from './files.ts';
import { DTYPES } from './model-file.ts';

/** The schema of `model.json`. Every key is optional: without the file the model's own signature is used. */
export const modelConfigSchema = z.strictObject({
  ...taskConfigShape,
  default: z.boolean().optional().describe('Whether requests that name no model go to this one'),
  default_version: z.string().optional().describe('Version of requests that name none'),
  version_labels: z
    .record(z.string(), z.string())
    .optional()
    .describe('Names that stand for versions, such as {"stable": "v1.0"}'),
  traffic: z
    .record(z.string(), z.number().min(0))
    .optional()
    .describe('Shares of the requests that name no version, by version'),
  dtype: z
    .enum(DTYPES)
    .optional()
    .describe('Which precision of a model from Hugging Face runs; auto by default'),
  problem_type: problemType
    .optional()
    .describe('How the scores of a classifier of texts or images are read, instead of config.json'),
  threshold: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('The threshold of requests that set none'),
  batching: batchingSchema.optional(),
  cache: z
    .strictObject({
      ttl_seconds: z
        .number()
        .min(0)
        .max(31_536_000)
        .describe('Seconds for which results are cached; 0 means not at all'),
      max_bytes: z
        .int()
        .min(0)
        .optional()
        .describe('Maximum bytes of the model’s results in the memory of each HTTP thread'),
    })
    .optional()
    .describe('Caches the outputs of this model, instead of CACHE_TTL and CACHE_MAX_BYTES'),
  device: z
    .string()
    .regex(DEVICE, DEVICE_FORM)
    .optional()
    .describe('The device of this model, instead of DEVICE'),
  device_options: z
    .record(z.string(), z.union([z.boolean(), z.number(), z.string()]))
    .optional()
    .describe('Options of the device, such as {"fp16": true}'),
  provider_options: z
    .record(z.string(), z.union([z.boolean(), z.number(), z.string()]))
    .optional()
    .describe('Options of the execution provider, by ONNX Runtime’s names'),
  instances: z.int().min(1).optional().describe('Instances that run batches at the same time'),
  intra_op_threads: z.int().min(1).optional().describe('Threads of one run'),
  run_limit_ms: z
    .number()
    .min(1)
    .max(86_400_000)
    .optional()
    .describe('Longest that a run may take; then its requests fail and it is cut short'),
  weight: z
    .number()
    .positive()
    .optional()
    .describe('Share of the time of a device that several models use; default 1'),
  signature_policy: z
    .enum(['require', 'warn', 'off'])
    .optional()
    .describe('A stricter policy for signatures than SIGNATURE_POLICY, for a registered version'),
});

export type ModelConfig = z.infer<typeof modelConfigSchema>;

/**
 * What the configuration of a model says about each of its versions, and not about how requests are divided among them;
 * undefined if it says nothing or cannot be used.
 */
export function configOfVersions(
  folder: { readonly config: ModelConfig | ServeError } | undefined,
): ModelConfig | undefined {
  if (folder === undefined || folder.config instanceof ServeError) return undefined;
  const { default: _, default_version, version_labels, traffic, ...config } = folder.config;
  return Object.keys(config).length === 0 ? undefined : config;
}

/**
 * The content of the file, or the error if it cannot be used.
 *
 * @param versions The names of the model's versions, to which the file may refer.
 */
export async function readModelConfig(
  model: string,
  path: string,
  versions: readonly string[],
): Promise<ModelConfig | ServeError> {
  const what = `model.json of '${model}'`;
  try {
    const json = await readJson(path, what);
    const checked = checkSchema(modelConfigSchema, withPresentNames(json));
    if ('fault' in checked) {
      return new ServeError('INVALID_CONFIG', `${what} is wrong: ${checked.fault}.`);
    }
    checkVersions(checked.data, versions, what);
    return checked.data;
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
}

/** @throws {ServeError} `INVALID_CONFIG` for a version that the model does not have. */
function checkVersions(
  { default_version, version_labels = {}, traffic = {} }: ModelConfig,
  versions: readonly string[],
  what: string,
): void {
  const named = [
    ...(default_version === undefined ? [] : [['default_version', default_version] as const]),
    ...Object.entries(version_labels).map(
      ([label, version]) => [`version_labels.${label}`, version] as const,
    ),
    ...Object.keys(traffic).map((version) => ['traffic', version] as const),
  ];
  const hidden = Object.keys(version_labels).find((label) => versions.includes(label));
  if (hidden !== undefined) {
    throw new ServeError(
      'INVALID_CONFIG',
      `${what} is wrong: version_labels has the label '${hidden}', which is the name of a version; write another label.`,
    );
  }
  for (const [key, version] of named) {
    if (versions.includes(version)) continue;
    const available = versions.map((each) => `'${each}'`).join(', ');
    throw new ServeError(
      'INVALID_CONFIG',
      `${what} is wrong: ${key} names version '${version}', which the model does not have; write one of ${available}.`,
    );
  }
}

/** The key `lanes` is the former name of `instances`. It is still accepted if `instances` is absent. */
function withPresentNames(config: unknown): unknown {
  if (typeof config !== 'object' || config === null) return config;
  if (!('lanes' in config) || 'instances' in config) return config;
  const { lanes, ...rest } = config;
  return { ...rest, instances: lanes };
}
