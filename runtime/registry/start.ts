/** @module Applies the settings about the models with which a server starts. */

import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { type ModelFolder, mayHold, type Scan, type Skipped } from '../repository/index.ts';
import type { ServedModel } from '../served-model.ts';

/**
 * The models that `MODEL_CONTROL_MODE` serves from the start.
 *
 * @throws {ServeError} `INVALID_CONFIG` for a name in `LOAD_MODEL` that no model has.
 */
export function modelsAtStart(config: Config, { models, skipped }: Scan): readonly ModelFolder[] {
  const { modelControlMode, loadModels } = config;
  if (modelControlMode !== 'explicit' || loadModels.includes('*')) return models;
  return loadModels.map((name) => {
    const found = models.find((folder) => folder.name === name);
    if (found !== undefined) return found;
    throw new ServeError(
      'INVALID_CONFIG',
      `LOAD_MODEL names '${name}', which the repository does not have${whyNot(name, skipped)}; write the names of models in it.`,
    );
  });
}

/** @throws {ServeError} `INVALID_CONFIG` if `DEFAULT_MODEL` names none of the models. */
export function checkDefaultModel(
  { defaultModel }: Config,
  models: readonly string[],
  skipped: readonly Skipped[],
): void {
  if (defaultModel === undefined || models.includes(defaultModel)) return;
  const names = models.map((name) => `'${name}'`).join(', ') || 'none';
  throw new ServeError(
    'INVALID_CONFIG',
    `DEFAULT_MODEL names '${defaultModel}', which the repository does not have${whyNot(defaultModel, skipped)}; write one of ${names}.`,
  );
}

/**
 * Stops the start if `DEVICE` names a GPU that cannot be used and nothing is served.
 *
 * @throws {ServeError} `INVALID_CONFIG`
 */
export function checkDevice({ device }: Config, models: readonly ServedModel[]): void {
  if (device === 'cpu' || device === 'auto') return;
  if (models.some((model) => model.loaded().length > 0)) return;
  for (const model of models) {
    const failure = model.failure();
    const cause = failure?.cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'FAILED_PRECONDITION') {
      throw new ServeError(
        'INVALID_CONFIG',
        `DEVICE=${device} cannot be used. ${failure?.message}`,
      );
    }
  }
}

/** Why the repository does not serve a model of that name, in parentheses; '' if nothing has the name. */
function whyNot(model: string, skipped: readonly Skipped[]): string {
  const skip = skipped.find(({ name }) => mayHold(name, model));
  return skip === undefined ? '' : ` (${skip.name}: ${skip.reason})`;
}
