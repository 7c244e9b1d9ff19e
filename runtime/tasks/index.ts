/** @module The table of tasks. A model's task is a line of `model.json`; a new task is a row here (.github/decisions/0022). */

import { z } from 'zod';
import { classification, raw, regression, type TabularTask } from './tabular/index.ts';
import type { TaskModel } from './task.ts';

export { type Features, type Prediction, ranksAbove, type TabularTask } from './tabular/index.ts';
export type { Outputs, PreparedInput, Task, TaskModel } from './task.ts';

/** The tasks that `model.json` may name. */
const TASKS = { classification, regression } as const;

export type TaskName = keyof typeof TASKS | 'raw';

/** The task of a model version, which `name` identifies. */
export type ModelTask = TabularTask;

/** Every key of `model.json` that describes a task. */
export const taskConfigShape = {
  task: z
    .enum(Object.keys(TASKS) as (keyof typeof TASKS)[])
    .optional()
    .describe('What the model does, which decides how its outputs are read'),
  ...raw.config.shape,
  ...classification.config.shape,
  ...regression.config.shape,
};

export type TaskConfig = z.infer<z.ZodObject<typeof taskConfigShape>>;

/**
 * The task that the configuration names, or `raw` if it names no task.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a reason when the configuration does not fit the signature.
 */
export function createTask(model: TaskModel, config: TaskConfig): ModelTask {
  const definition = config.task === undefined ? raw : TASKS[config.task];
  return definition.create(model, config);
}
