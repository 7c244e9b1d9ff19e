/** @module Models of which no file says what they do but the graph itself. */

import type { ModelFile } from '../../native/index.ts';
import type { ImageTaskName } from './image-model.ts';
import { type UltralyticsExport, ultralyticsExport } from './ultralytics.ts';

const TASKS: Readonly<Partial<Record<NonNullable<UltralyticsExport['task']>, ImageTaskName>>> = {
  detect: 'object-detection',
  segment: 'image-segmentation',
  classify: 'image-classification',
};

/** What a model file says about itself. */
type ExportedFile = Pick<ModelFile, 'metadata' | 'outputs'>;

/**
 * The task of an export of Ultralytics; undefined if the file is none, or its task is not served.
 *
 * @throws {ServeError} `INVALID_CONFIG` if its metadata are not what Ultralytics writes.
 */
export function taskOfExport({ metadata, outputs }: ExportedFile): ImageTaskName | undefined {
  // The names of the classes are read when the model is opened.
  const exported = ultralyticsExport(metadata, true);
  return exported && TASKS[exported.task ?? taskOfOutputs(outputs)];
}

/** The exports of YOLOv5 do not name their task: scores have two dimensions, boxes three, and prototypes of masks four. */
function taskOfOutputs(outputs: ExportedFile['outputs']): 'classify' | 'detect' | 'segment' {
  if (outputs.some(({ dims }) => dims.length === 4)) return 'segment';
  return outputs.some(({ dims }) => dims.length === 3) ? 'detect' : 'classify';
}
