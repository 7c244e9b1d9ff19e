/** @module The table of tasks. A model's task is a line of `model.json`; a new task is a row here (.github/decisions/0022). */

import { z } from 'zod';
import { HEADS, IMAGE_TASKS, type ImageTaskName } from '../image/image-model.ts';
import { TEXT_TASKS, type TextTaskName } from '../text/text-model.ts';
import { classification, raw, regression, type TabularTask } from './tabular/index.ts';
import type { TaskModel } from './task.ts';

export { type Features, type Prediction, ranksAbove, type TabularTask } from './tabular/index.ts';
export type { Outputs, PreparedInput, Task, TaskModel } from './task.ts';

/** The tasks of models that take rows of features. */
const TASKS = { classification, regression } as const;

export type TabularTaskName = keyof typeof TASKS | 'raw';

/** The tasks of models that take texts or images. */
export type MediaTaskName = TextTaskName | ImageTaskName;

export type TaskName = TabularTaskName | MediaTaskName;

/** The tasks that `model.json` may name. */
const NAMES = [
  ...(Object.keys(TASKS) as (keyof typeof TASKS)[]),
  ...TEXT_TASKS,
  ...IMAGE_TASKS,
] as const;

/** Whether a model with that task takes text. */
export const isTextTask = (name: string | undefined): name is TextTaskName =>
  TEXT_TASKS.some((task) => task === name);

/** Whether a model with that task takes images. */
export const isImageTask = (name: string | undefined): name is ImageTaskName =>
  IMAGE_TASKS.some((task) => task === name);

/** Whether a model with that task takes texts or images. */
export const isMediaTask = (name: string | undefined): name is MediaTaskName =>
  isTextTask(name) || isImageTask(name);

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
  input: z
    .string()
    .optional()
    .describe(
      'The input that takes the features; `image` for a model of images means that `/v2` takes encoded images',
    ),
  head: z
    .enum(HEADS)
    .optional()
    .describe('How the outputs of a model of images describe boxes or masks'),
  iou: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'The overlap of boxes from which only the better one stays, of requests that set none',
    ),
  top_k: z.int().min(1).max(1000).optional().describe('Most classes, of requests that set none'),
  max_detections: z
    .int()
    .min(1)
    .max(3000)
    .optional()
    .describe('Most boxes of an image, of requests that set none'),
  background: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, 'a colour such as #ffffff')
    .optional()
    .describe('The colour over which transparent images are laid, of requests that set none'),
};

export type TaskConfig = z.infer<z.ZodObject<typeof taskConfigShape>>;

/**
 * The task of a tabular model that the configuration names, or `raw` if it names none of those.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a reason when the configuration does not fit the signature.
 */
export function createTask(model: TaskModel, config: TaskConfig): ModelTask {
  const { task } = config;
  const definition = task === undefined || isMediaTask(task) ? raw : TASKS[task];
  return definition.create(model, config);
}
