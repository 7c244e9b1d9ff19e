/** @module Descriptions of folders with models for images, made of a few short files, and graphs that are only declared. */

import type { FileTensor } from '../../native/index.ts';
import {
  type ImageDescription,
  type ImageGraph,
  type ImageModel,
  type ImageOverrides,
  type ImageSettings,
  type ImageTaskName,
  openImageModel,
  readImageDescription,
} from '../../runtime/image/index.ts';
import { DescribedFolder } from '../../runtime/text/index.ts';
import { temporaryFiles } from './files.ts';
import { asText, type FolderFiles } from './text-folder.ts';

/** @throws {ServeError} */
export async function describeImages(
  files: FolderFiles,
  task: ImageTaskName = 'image-classification',
  overrides: ImageOverrides = {},
): Promise<ImageDescription> {
  using folder = temporaryFiles(asText(files));
  // The folder is removed when this is read.
  return await readImageDescription(await DescribedFolder.open('m', folder.path), task, overrides);
}

/** A description that no file gives. */
export const bareDescription = (more: Partial<ImageDescription> = {}): ImageDescription => ({
  task: 'image-classification',
  preprocessing: undefined,
  labels: undefined,
  problemType: undefined,
  head: undefined,
  architecture: undefined,
  modelType: undefined,
  obstacle: undefined,
  notes: [],
  ...more,
});

export const tensor = (
  name: string,
  dims: readonly number[],
  type: FileTensor['type'] = 'float32',
): FileTensor => ({ name, type, dims, symbols: dims.map(() => '') });

/** A graph with one input of planes. */
export const graphOf = (
  outputs: readonly FileTensor[],
  more: Partial<ImageGraph> = {},
): ImageGraph => ({ inputs: [tensor('pixel_values', [-1, 3, 224, 224])], outputs, ...more });

/** The opened model. @throws An error with the sentence, if the task cannot be served. */
export function openedModel(
  description: Partial<ImageDescription>,
  graph: ImageGraph,
  settings: ImageSettings = {},
): { readonly model: ImageModel; readonly notes: readonly string[] } {
  const opened = openImageModel(bareDescription(description), settings, graph);
  if (typeof opened === 'string') throw new Error(opened);
  return opened;
}

/** Labels of so many classes. */
export const names = (count: number) => Array.from({ length: count }, (_, i) => `class ${i}`);

/** Metadata of an export that does not say what it does. */
export const ULTRALYTICS = { author: 'Ultralytics', stride: '32', imgsz: '[224, 224]' };

export const detrOutputs = (classes: number) => [
  tensor('logits', [-1, 100, classes]),
  tensor('pred_boxes', [-1, 100, 4]),
];
/** The outputs of Mask R-CNN with masks of this side, under the numbers that the exporter of PyTorch gives them. */
export const maskRcnnOutputs = (side: number) => [
  tensor('2901', [-1, 4]),
  tensor('2903', [-1], 'int64'),
  tensor('2905', [-1]),
  tensor('2990', [-1, 1, side, side]),
];
