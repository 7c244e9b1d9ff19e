/** @module What is on disk: `<repository>/<model>/model.json` (optional) and `<model>/<version>/model.onnx`. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ServeError } from './errors.ts';

/** The schema of `model.json`. Every key is optional: without the file the model's own signature is used. */
export const modelConfigSchema = z.strictObject({
  task: z.enum(['classification', 'regression']).optional(),
  input: z.string().optional().describe('The input that takes the features'),
  output: z.string().optional().describe('The output that answers'),
  activation: z
    .enum(['none', 'softmax'])
    .optional()
    .describe('What turns scores into probabilities'),
  features: z.array(z.string()).optional().describe('Names of the features, in order'),
  labels: z
    .array(z.string())
    .optional()
    .describe('Names of the classes, in the order of the scores'),
  default: z.boolean().optional().describe('Whether requests that name no model mean this one'),
  default_version: z.string().optional().describe('Version of requests that name none'),
  version_labels: z
    .record(z.string(), z.string())
    .optional()
    .describe('Such as {"stable": "v1.0"}'),
  traffic: z
    .record(z.string(), z.number().min(0))
    .optional()
    .describe('Weights that share out requests that name no version'),
  batching: z
    .union([
      z.literal(false),
      z.strictObject({
        maxRows: z.int().min(1).optional(),
        maxDelayMs: z.number().min(0).optional(),
        maxQueue: z.int().min(1).optional(),
      }),
    ])
    .optional()
    .describe('How requests are joined; false never joins them'),
  lanes: z.int().min(1).optional().describe('Native threads that run batches'),
  intra_op_threads: z.int().min(1).optional().describe('Threads of one run'),
});

export type ModelConfig = z.infer<typeof modelConfigSchema>;

/** A model's folder. `config` is the reason where `model.json` cannot be used. */
export interface ModelFolder {
  readonly name: string;
  readonly config: ModelConfig | ServeError;
  /** Oldest first: the names in natural order, so that v1.10 comes after v1.9. */
  readonly versions: readonly VersionFolder[];
}

export interface VersionFolder {
  readonly version: string;
  /** The model file, which may turn out to be missing. */
  readonly path: string;
}

/**
 * Lists a repository. Folders that hold neither a `model.json` nor versions are left alone.
 *
 * @throws {ServeError} `INVALID_CONFIG` when the repository itself cannot be read.
 */
export function scanRepository(root: string): readonly ModelFolder[] {
  if (!existsSync(root)) {
    throw new ServeError(
      'INVALID_CONFIG',
      `MODEL_PATH names the folder ${root}, which does not exist; write the folder that holds <model>/<version>/model.onnx.`,
    );
  }
  return folders(root)
    .map((name) => modelFolder(root, name))
    .filter((model) => model.versions.length > 0);
}

function modelFolder(root: string, name: string): ModelFolder {
  const versions = folders(join(root, name))
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .map((version) => ({ version, path: join(root, name, version, 'model.onnx') }));
  const configPath = join(root, name, 'model.json');
  const described = existsSync(configPath);
  const config = described ? modelConfig(name, configPath) : {};
  const served = described || versions.some((version) => existsSync(version.path));
  return { name, config, versions: served ? versions : [] };
}

function modelConfig(name: string, path: string): ModelConfig | ServeError {
  try {
    const parsed = modelConfigSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
    return new ServeError(
      'INVALID_CONFIG',
      `model.json of "${name}" is wrong: ${where}${issue?.message}.`,
    );
  } catch {
    return new ServeError('INVALID_CONFIG', `model.json of "${name}" is not valid JSON.`);
  }
}

function folders(path: string): string[] {
  return readdirSync(path)
    .filter((name) => !name.startsWith('.') && statSync(join(path, name)).isDirectory())
    .sort();
}
