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
