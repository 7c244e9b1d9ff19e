/** @module Reads a registered version from the folder that holds the files of its artifact. */

import type protobuf from 'protobufjs';
import { checkSchema } from '../check-schema.ts';
import { ServeError } from '../errors.ts';
import { type ModelConfig, modelConfigSchema } from './config.ts';
import type { Entry } from './files.ts';
import { readModels } from './layouts.ts';
import type { ModelFolder } from './model-folder.ts';
import { refuseUnsafeOptions } from './provider-options.ts';
import { tritonSchema } from './triton.ts';

/** Where a registered version is, and what was registered with it. */
export interface Registered {
  readonly model: string;
  readonly version: string;
  /** Absolute path of the folder with the files of the artifact, in any layout of a model's folder. */
  readonly folder: string;
  /** The `model.json` of the registration, instead of the one in the folder; null or undefined if there was none. */
  readonly config: unknown;
}

/**
 * The model with this one version. Like a load request, an artifact may not name libraries or files of the server.
 *
 * @throws {ServeError} `INVALID_CONFIG` with the reason why the files are not one version of a model.
 */
export async function readArtifact(
  { model, version, folder, config }: Registered,
  schema: protobuf.Root = tritonSchema(),
): Promise<ModelFolder> {
  const entry: Entry = { name: model, label: model, path: folder, kind: 'folder' };
  const { models, skipped } = await readModels(entry, schema);
  const [found, ...others] = models;
  if (found === undefined) {
    const reason = skipped.at(-1)?.reason ?? 'It is empty';
    throw invalid(`The artifact is not a model. ${reason}`);
  }
  const [file, ...more] = found.versions;
  if (others.length + more.length > 0) {
    const names = models.flatMap(({ name, versions }) =>
      versions.map((each) => `${name}/${each.version}`),
    );
    throw invalid(`The artifact holds several models or versions: ${names.join(', ')}`);
  }
  const given = config === null || config === undefined ? found.config : readGiven(model, config);
  if (given instanceof ServeError) throw given;
  refuseUnsafeOptions(model, { ...found.settings.providerOptions, ...given.provider_options });
  return {
    name: model,
    config: given,
    settings: found.settings,
    versions: [{ ...file!, version }],
  };
}

function readGiven(model: string, config: unknown): ModelConfig {
  const checked = checkSchema(modelConfigSchema, config);
  if ('data' in checked) return checked.data;
  throw invalid(`The configuration of '${model}' is wrong: ${checked.fault}`);
}

const invalid = (reason: string) => new ServeError('INVALID_CONFIG', reason);
