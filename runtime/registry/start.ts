/** @module Applies the settings about the models with which a server starts. */

import type { Config } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { type ModelFolder, mayHold, type Scan, type Skipped } from '../repository/index.ts';
import type { ServedModel } from '../served-model.ts';
import { isTextTask } from '../tasks/index.ts';

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

/** @throws {ServeError} `INVALID_CONFIG` if `DEFAULT_MODEL` or `TRANSFORMER_MODEL` names none of the models. */
export function checkDefaultModels(
  { defaultModel, transformerModel }: Config,
  models: readonly string[],
  skipped: readonly Skipped[],
): void {
  for (const [setting, name] of [
    ['DEFAULT_MODEL', defaultModel],
    ['TRANSFORMER_MODEL', transformerModel],
  ] as const) {
    if (name === undefined || models.includes(name)) continue;
    const names = models.map((model) => `'${model}'`).join(', ') || 'none';
    throw new ServeError(
      'INVALID_CONFIG',
      `${setting} names '${name}', which the repository does not have${whyNot(name, skipped)}; write one of ${names}.`,
    );
  }
}

/** @throws {ServeError} `INVALID_CONFIG` if `TRANSFORMER_MODEL` names a model that is loaded and does not take text. */
export function checkTransformerModel(
  { transformerModel }: Config,
  models: readonly ServedModel[],
): void {
  const model = models.find(({ name }) => name === transformerModel);
  const loaded = model?.loaded() ?? [];
  if (loaded.length === 0 || loaded.some(({ taskName }) => isTextTask(taskName))) return;
  const fitting = models.filter((each) =>
    each.loaded().some(({ taskName }) => isTextTask(taskName)),
  );
  const names = fitting.map(({ name }) => `'${name}'`).join(', ');
  const instead = names === '' ? 'leave it out' : `write one of ${names}`;
  throw new ServeError(
    'INVALID_CONFIG',
    `TRANSFORMER_MODEL names '${transformerModel}', which does not take text; ${instead}.`,
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
