/** @module The table of tasks. A model's task is a line of `model.json`; a new task is a row here (.github/decisions/0022). */

import { z } from 'zod';
import { TEXT_TASKS, type TextTaskName } from '../text/text-model.ts';
import { classification, raw, regression, type TabularTask } from './tabular/index.ts';
import type { TaskModel } from './task.ts';

export { type Features, type Prediction, ranksAbove, type TabularTask } from './tabular/index.ts';
export type { Outputs, PreparedInput, Task, TaskModel } from './task.ts';

/** The tasks of models that take rows of features. */
const TASKS = { classification, regression } as const;

export type TabularTaskName = keyof typeof TASKS | 'raw';

export type TaskName = TabularTaskName | TextTaskName;

/** The tasks that `model.json` may name. */
const NAMES = [...(Object.keys(TASKS) as (keyof typeof TASKS)[]), ...TEXT_TASKS] as const;

/** Whether a model with that task takes text. */
export const isTextTask = (name: string | undefined): name is TextTaskName =>
  TEXT_TASKS.some((task) => task === name);

/** The task of a model version, which `name` identifies. */
export type ModelTask = TabularTask;

/** Every key of `model.json` that describes a task. */
export const taskConfigShape = {
  task: z
    .enum(NAMES)
    .optional()
    .describe('What the model does, which decides how its outputs are read'),
  ...raw.config.shape,
  ...classification.config.shape,
  ...regression.config.shape,
};

export type TaskConfig = z.infer<z.ZodObject<typeof taskConfigShape>>;

/**
 * The task of a tabular model that the configuration names, or `raw` if it names none of those.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a reason when the configuration does not fit the signature.
 */
export function createTask(model: TaskModel, config: TaskConfig): ModelTask {
  const { task } = config;
  const definition = task === undefined || isTextTask(task) ? raw : TASKS[task];
  return definition.create(model, config);
}
