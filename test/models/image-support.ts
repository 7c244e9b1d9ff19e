/** @module The demonstration models of images as they are committed, in the vision service. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { formOf, openVision, type VisionService } from '../services/vision/support.ts';
import type { Files } from '../support/files.ts';
import { fileSizes, modelsFolder } from './support.ts';

/** The committed files of a model. */
const filesOf = (model: string): Files =>
  Object.fromEntries(
    [...fileSizes(model).keys()].map((file) => [
      file,
      readFileSync(path.join(modelsFolder, model, file)),
    ]),
  );

/** A committed photo, by its path in `models/`. */
export const readPhoto = (...parts: string[]): Buffer =>
  readFileSync(path.join(modelsFolder, ...parts));

/** The vision service with committed models. */
export const openModels = (...names: readonly string[]): Promise<VisionService> =>
  openVision(Object.fromEntries(names.map((name) => [name, filesOf(name)])));

export { formOf };

/** A result of `POST /detect`. */
export interface Detected {
  readonly detections: readonly {
    readonly box: {
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    };
    readonly class: string;
    readonly confidence: number;
  }[];
  readonly image: { readonly width: number; readonly height: number };
}
