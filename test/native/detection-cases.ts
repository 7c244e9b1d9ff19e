/** @module Outputs of vision models, the same as test/fixtures/vision/postprocess.py makes, and functions that read them. */
import { readFileSync } from 'node:fs';
import { loadAddon } from '../../native/binding.ts';
import { bindDetections, type NativeDetections } from '../../native/detections.ts';
import type { BoxOptions, CanvasGeometry, HeadTensor } from '../../native/image-types.ts';

export const detections = bindDetections(loadAddon() as unknown as NativeDetections);

export const fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/vision/postprocess.json', import.meta.url), 'utf8'),
);

/** The linear congruential generator of Numerical Recipes. */
export class Generator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) % limit;
  }

  /** Returns multiples of 1 / 1024 from -span to span. */
  tensor(dims: readonly number[], span = 8): HeadTensor {
    const steps = 1024;
    const count = dims.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from(
      { length: count },
      () => (this.below(2 * span * steps + 1) - span * steps) / steps,
    );
    return { data, dims };
  }
}

/** An image that is the whole canvas, pixel for pixel. */
export const plain = (width: number, height: number): CanvasGeometry => ({
  left: 0,
  top: 0,
  scaleX: 1,
  scaleY: 1,
  canvasWidth: width,
  canvasHeight: height,
  width,
  height,
});

/** A canvas of this size that is filled by the image. */
export const stretched = (
  canvasWidth: number,
  canvasHeight: number,
  width: number,
  height: number,
): CanvasGeometry => ({
  ...plain(width, height),
  scaleX: canvasWidth / width,
  scaleY: canvasHeight / height,
  canvasWidth,
  canvasHeight,
});

export const boxOptions = (options: Partial<BoxOptions> = {}): BoxOptions => ({
  threshold: 0,
  iou: 0.45,
  maxDetections: 3000,
  agnostic: false,
  nms: 'hard',
  ...options,
});

export type Row = readonly [corners: readonly number[], score: number, label: number];

/** Returns boxes as `[4 + classes, anchors]`. */
export function yoloColumns(rows: readonly Row[], classes: number): HeadTensor {
  const data = new Float32Array((4 + classes) * rows.length);
  rows.forEach(([[left, top, right, bottom], score, label], i) => {
    const centre = [(left! + right!) / 2, (top! + bottom!) / 2, right! - left!, bottom! - top!];
    centre.forEach((value, axis) => {
      data[axis * rows.length + i] = value;
    });
    data[(4 + label) * rows.length + i] = score;
  });
  return { data, dims: [4 + classes, rows.length] };
}

/** Returns boxes as `[anchors, 5 + classes]`. */
export function yoloRows(rows: readonly Row[], classes: number): HeadTensor {
  const columns = yoloColumns(rows, classes);
  const data = rows.flatMap((_, i) => {
    const row = Array.from({ length: 4 + classes }, (_, c) => columns.data[c * rows.length + i]!);
    return [...row.slice(0, 4), 1, ...row.slice(4)];
  });
  return { data: Float32Array.from(data), dims: [rows.length, 5 + classes] };
}
