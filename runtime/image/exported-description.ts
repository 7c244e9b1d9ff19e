/** @module Models without any file beside the graph, whose metadata say what they do. */

import type { ImageDescription, ImageTaskName } from './image-model.ts';
import type { ImageOverrides } from './read-description.ts';
import { type Metadata, type UltralyticsExport, ultralyticsExport } from './ultralytics.ts';

const TASKS: Readonly<Partial<Record<NonNullable<UltralyticsExport['task']>, ImageTaskName>>> = {
  detect: 'object-detection',
  segment: 'image-segmentation',
  classify: 'image-classification',
};

/**
 * What the metadata of an export of Ultralytics say about its images; undefined if they do not name a task that is served.
 *
 * @throws {ServeError} `INVALID_CONFIG` if they are not what Ultralytics writes.
 */
export function describeExport(
  metadata: Metadata,
  { labels, problem_type, head }: ImageOverrides,
): ImageDescription | undefined {
  const { task: name } = ultralyticsExport(metadata, labels !== undefined) ?? {};
  const task = name && TASKS[name];
  return (
    task && {
      task,
      preprocessing: undefined,
      labels,
      problemType: problem_type,
      head,
      architecture: undefined,
      modelType: undefined,
      obstacle: undefined,
      notes: [`The metadata of the model file say that it does ${task}`],
    }
  );
}
