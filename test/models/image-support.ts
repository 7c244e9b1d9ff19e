/** @module The demonstration models of images as they are committed, in the vision service. */
import assert from 'node:assert/strict';
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

/** An object that a script of `models/train` found: corners in pixels of the photo. */
export interface RecordedDetection {
  readonly corners: readonly [number, number, number, number];
  readonly score: number;
  readonly class: string;
}

export const readDetections = (model: string): readonly RecordedDetection[] =>
  JSON.parse(
    readFileSync(path.join(modelsFolder, '../test/fixtures', `${model}-examples.json`), 'utf8'),
  ).detections;

/** Pixels, because decoders of JPEG differ in the last bits. */
const PIXELS = 2;

const SCORES = 0.01;

/** Checks what the service found against what the script found. */
export function assertDetections(
  { detections }: Detected,
  recorded: readonly RecordedDetection[],
): void {
  assert.equal(detections.length, recorded.length);
  for (const [i, { corners, score, class: name }] of recorded.entries()) {
    const { box, class: found, confidence } = detections[i]!;
    assert.equal(found, name);
    assert.ok(Math.abs(confidence - score) < SCORES, `${confidence} and ${score}`);
    const actual = [box.x, box.y, box.x + box.width, box.y + box.height];
    for (const [side, expected] of corners.entries()) {
      assert.ok(Math.abs(actual[side]! - expected) < PIXELS, `${actual} and ${corners}`);
    }
  }
}
