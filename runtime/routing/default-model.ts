/** @module Which model a request gets that names none, by the tasks that the request can use. */

import { ServeError } from '../errors.ts';
import type { ServedModel } from '../served-model.ts';
import { isMediaTask, type TaskName } from '../tasks/index.ts';

/** Names from the settings. */
export interface DefaultNames {
  /** `DEFAULT_MODEL`. */
  readonly model: string | undefined;
  /** `TRANSFORMER_MODEL`. */
  readonly transformer: string | undefined;
}

/** A model, or the error for requests that name none. */
export type Default = ServedModel | ServeError;

/**
 * The default model for tasks.
 *
 * @param tasks Undefined means any. Of tasks on texts or images, the first that a model has counts.
 */
export function chooseDefault(
  models: readonly ServedModel[],
  tasks: readonly TaskName[] | undefined,
  names: DefaultNames,
): Default {
  return tasks !== undefined && isMediaTask(tasks[0])
    ? chooseForMedia(models, tasks, names)
    : chooseForRows(models, tasks, names);
}

/**
 * Of the models that have one of the tasks: the one that `DEFAULT_MODEL` names, or whose `model.json`
 * makes it the default, or the only one. If no model has one of the tasks, all are candidates, so that the error says
 * why the default cannot be used.
 */
function chooseForRows(
  models: readonly ServedModel[],
  tasks: readonly TaskName[] | undefined,
  names: DefaultNames,
): Default {
  const able = models.filter((model) => tasks === undefined || model.hasTask(tasks));
  const candidates = able.length > 0 ? able : models;
  const chosen =
    candidates.find(({ name }) => name === names.model) ??
    candidates.find(({ isDefault }) => isDefault) ??
    (candidates.length === 1 ? candidates[0] : undefined);
  if (chosen !== undefined) return chosen;
  const served = quoted(models.filter((model) => model.isReady()));
  if (served !== '') {
    const missing = `The field 'model' is missing; write one of ${served}.`;
    return new ServeError('INVALID_ARGUMENT', missing);
  }
  return models.length === 0
    ? new ServeError('MODEL_NOT_FOUND', 'The repository holds no model.')
    : new ServeError('MODEL_NOT_READY', 'No model is served; see /ready.');
}

/**
 * Of the models that have the first task that any has: the one whose `model.json` makes it the default, or that the settings
 * name, or the only one. Models that do not work count only if none does, so that the error says why.
 */
function chooseForMedia(
  models: readonly ServedModel[],
  tasks: readonly TaskName[],
  names: DefaultNames,
): Default {
  for (const task of tasks) {
    const meant = models.filter((model) => model.isMeantFor(task));
    if (meant.length === 0) continue;
    const working = meant.filter((model) => model.hasTask([task]));
    return chooseAmong(working.length > 0 ? working : meant, task, names);
  }
  return new ServeError(
    'MODEL_NOT_FOUND',
    `There is no model for ${tasks.join(' or ')}; put a folder of one from Hugging Face into the repository.`,
  );
}

function chooseAmong(
  candidates: readonly ServedModel[],
  task: TaskName,
  { transformer, model }: DefaultNames,
): Default {
  const declared = candidates.filter(({ isDefault }) => isDefault);
  const [only, ...others] = declared.length > 0 ? declared : candidates;
  if (others.length === 0) return only!;
  const named = (wanted: string | undefined) => candidates.find(({ name }) => name === wanted);
  const chosen = declared.length > 0 ? undefined : (named(transformer) ?? named(model));
  const which = declared.length > 0 ? 'several of them are' : 'none of them is';
  return (
    chosen ??
    new ServeError(
      'MODEL_NOT_FOUND',
      `Several models are for ${task}, and ${which} the default; write one of ${quoted(candidates)} in the field 'model', or "default": true in the model.json of one.`,
    )
  );
}

export const quoted = (models: readonly ServedModel[]): string =>
  models.map(({ name }) => `'${name}'`).join(', ');
