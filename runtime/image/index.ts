/**
 * Models that take images: what the files beside a graph say about them, and what the operations on images need to know.
 *
 * ```
 * task-of.ts               the task of a folder, by its config.json
 * read-description.ts      all that its files say: preprocessing, labels, head
 * preprocessing.ts         the keys of preprocessor_config.json
 * processors.ts            what the classes of transformers do without a key
 * timm.ts                  the same for models of timm
 * ultralytics.ts           the metadata of an export of YOLO
 * input-form.ts            which input takes the image
 * heads.ts                 which outputs are read, and how
 * choose-preprocessing.ts  how images are prepared if the files do not say it
 * placement.ts             where an image comes to lie in the input
 * open-image-model.ts      all of it for a loaded version
 * decode/                  from files to pixels
 * ```
 *
 * @module
 */

export { describeExport } from './exported-description.ts';
export type * from './image-model.ts';
export { HEADS, IMAGE_TASKS } from './image-model.ts';
export {
  type ImageGraph,
  type ImageLoadOptions,
  type ImageSettings,
  imageLoadOptions,
  openImageModel,
} from './open-image-model.ts';
export { fixedCanvas, placementOf } from './placement.ts';
export {
  type ImageOverrides,
  readImageDescription,
} from './read-description.ts';
export { imageTaskOfConfig } from './task-of.ts';
export type { Metadata } from './ultralytics.ts';
