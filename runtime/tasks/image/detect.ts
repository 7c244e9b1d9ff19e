/** @module The things that images show, and where. */

import type { Boxes, BoxHead, BoxOptions, CanvasGeometry } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { ImageModel } from '../../image/image-model.ts';
import { type Box, boxBetween } from './box.ts';
import { type BoxRequest, boxOptionsOf, className } from './box-options.ts';
import { checkWaits, patienceOf } from './check-waits.ts';
import { encodeImages } from './encode-images.ts';
import { headTensors } from './head-tensors.ts';
import type { ImageInput, ImageOperation } from './operation.ts';
import { readingOf } from './output-floats.ts';

export interface DetectInput extends ImageInput, BoxRequest {}

export interface Detection {
  /** Within the image. */
  readonly box: Box;
  readonly class: string;
  /** 0 to 1. */
  readonly confidence: number;
}

export interface ImageDetections {
  /** By falling confidence. Boxes without an area are left out. */
  readonly detections: readonly Detection[];
  /** The size of the image after its orientation. */
  readonly image: { readonly width: number; readonly height: number };
}

export interface DetectOutput {
  readonly results: readonly ImageDetections[];
}

interface Context {
  readonly geometries: readonly CanvasGeometry[];
  readonly head: BoxOutputs;
  readonly options: BoxOptions;
}

/** The outputs that describe boxes. */
interface BoxOutputs {
  readonly native: BoxHead;
  readonly outputs: readonly string[];
}

const THRESHOLD = 0.25;
/** Scores of DETR are further apart, and transformers' post-processing has this threshold too. */
const DETR_THRESHOLD = 0.5;

export const detect: ImageOperation<DetectInput, Context, DetectOutput> = {
  // Models of instances have boxes too.
  tasks: ['object-detection', 'image-segmentation'],
  async prepare(model, input, tools, waiter) {
    const head = boxesOf(model);
    const options = boxOptionsOf(model, input, thresholdOf(head));
    const { runs, geometries } = await encodeImages(model, input, tools, waiter);
    return { runs, outputs: head.outputs, context: { geometries, head, options } };
  },
  async answer({ labels }, results, { geometries, head, options }, { images }, waiter) {
    const answers: ImageDetections[] = [];
    for (const [i, result] of results.entries()) {
      checkWaits(waiter);
      const geometry = geometries[i]!;
      const { width, height } = geometry;
      const tensors = headTensors(head.native.kind, head.outputs, result);
      const waits = { ...options, ...patienceOf(waiter) };
      const boxes = await readingOf(images.boxes(head.native, tensors, geometry, waits));
      answers.push({ detections: detectionsOf(boxes, labels), image: { width, height } });
    }
    return { results: answers };
  },
};

/** What a model does with boxes if a request sets no options. */
export interface BoxDefaults {
  readonly threshold: number;
  /** Undefined if no box is left out for another one that it overlaps. */
  readonly iou: number | undefined;
}

/** The defaults of a model; undefined if it has no boxes. */
export function boxDefaults(model: ImageModel): BoxDefaults | undefined {
  const head = findBoxes(model);
  if (head === undefined) return undefined;
  const { threshold, iou } = boxOptionsOf(model, {}, thresholdOf(head));
  return { threshold, iou: head.native.kind === 'yolo' ? iou : undefined };
}

const thresholdOf = ({ native }: BoxOutputs): number =>
  native.kind === 'detr' ? DETR_THRESHOLD : THRESHOLD;

/** @throws {ServeError} `WRONG_TASK` for a model without boxes. */
function boxesOf(model: ImageModel): BoxOutputs {
  const found = findBoxes(model);
  if (found !== undefined) return found;
  throw new ServeError(
    'WRONG_TASK',
    'The model does image-segmentation, but the request needs object-detection: its outputs have no boxes.',
  );
}

function findBoxes({ head }: ImageModel): BoxOutputs | undefined {
  if (head.kind === 'boxes') return head;
  if (head.kind !== 'masks') return undefined;
  const { native, outputs } = head;
  if (native.kind === 'yolo-seg') return { native: native.boxes, outputs: outputs.slice(0, 1) };
  if (native.kind !== 'mask-rcnn') return undefined;
  return { native: { kind: 'listed' }, outputs: outputs.slice(0, 3) };
}

function detectionsOf(
  { count, corners, scores, classes }: Boxes,
  labels: readonly string[],
): Detection[] {
  const found: Detection[] = [];
  for (let i = 0; i < count; i += 1) {
    const box = boxBetween(corners.subarray(4 * i, 4 * i + 4));
    if (box === undefined) continue;
    found.push({ box, class: className(labels, classes[i]!), confidence: scores[i]! });
  }
  return found;
}
