/** @module Models without any file beside the graph, whose metadata say what they do. */

import type { ModelFile } from '../../native/index.ts';
import type { ImageDescription, ImageTaskName } from './image-model.ts';
import type { ImageOverrides } from './read-description.ts';
import { type UltralyticsExport, ultralyticsExport } from './ultralytics.ts';

const TASKS: Readonly<Partial<Record<NonNullable<UltralyticsExport['task']>, ImageTaskName>>> = {
  detect: 'object-detection',
  segment: 'image-segmentation',
  classify: 'image-classification',
};

/** What a model file says about itself. */
type ExportedFile = Pick<ModelFile, 'metadata' | 'outputs'>;

/**
 * What an export of Ultralytics says about its images; undefined if it is none, or its task is not served.
 *
 * @throws {ServeError} `INVALID_CONFIG` if its metadata are not what Ultralytics writes.
 */
export function describeExport(
  { metadata, outputs }: ExportedFile,
  { labels, problem_type, head }: ImageOverrides,
): ImageDescription | undefined {
  const exported = ultralyticsExport(metadata, labels !== undefined);
  const task = exported && TASKS[exported.task ?? taskOfOutputs(outputs)];
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
      notes: [`The model file is an export of Ultralytics that does ${task}`],
    }
  );
}

/** The exports of YOLOv5 do not name their task: scores have two dimensions, boxes three, and prototypes of masks four. */
function taskOfOutputs(outputs: ExportedFile['outputs']): 'classify' | 'detect' | 'segment' {
  if (outputs.some(({ dims }) => dims.length === 4)) return 'segment';
  return outputs.some(({ dims }) => dims.length === 3) ? 'detect' : 'classify';
}
