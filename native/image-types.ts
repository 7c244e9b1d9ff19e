/**
 * The public contract of the functions on images: from decoded pixels to an input, and from outputs to boxes and masks. All of
 * them work on threads of the runtime's pool, and may be called on any JavaScript thread. The memory of their arguments must not
 * change until the promise settles.
 *
 * @module
 */

import type { CancelSignal } from './run-types.ts';

/** The filters of Pillow, which its enumeration `Resampling` numbers 0 to 5 in this order. */
export type ResampleFilter = 'nearest' | 'lanczos' | 'bilinear' | 'bicubic' | 'box' | 'hamming';

/** Interleaved 8-bit channels, the rows from the top and without gaps. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** 1 (grey) or 3 (RGB). */
  readonly channels: 1 | 3;
}

/**
 * Where an image comes to lie in an input: it is resized to `width` × `height`, and then laid on a canvas, which cuts off what is
 * outside of it. All numbers are pixels.
 */
export interface Placement {
  readonly width: number;
  readonly height: number;
  readonly filter: ResampleFilter;
  readonly canvasWidth: number;
  readonly canvasHeight: number;
  /** The place of the resized image's left edge on the canvas; negative if the canvas cuts it off. */
  readonly left: number;
  readonly top: number;
}

/** What the pixels of a canvas become. */
export interface CanvasForm {
  /** The order of the elements, and their type: `hwc` has the channels of a pixel beside each other. */
  readonly layout:
    | 'uint8-hwc'
    | 'uint8-chw'
    | 'float32-hwc'
    | 'float32-chw'
    | 'float16-hwc'
    | 'float16-chw';
  /** 1 makes RGB grey as Pillow's `convert("L")`, and 3 repeats a grey channel. */
  readonly channels: 1 | 3;
  /** What the canvas holds beside the image, one number for each channel: bytes, or floats after the normalisation. */
  readonly fill: readonly number[];
  /** For floats: (byte × scale − mean[c]) / std[c]. */
  readonly scale?: number;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Whether the first and the third channel are swapped. Default: false. */
  readonly reverse?: boolean;
}

/** How coordinates of a canvas lie in the image that it shows: x of the image is (x − left) / scaleX. */
export interface CanvasGeometry {
  readonly left: number;
  readonly top: number;
  /** Pixels of the canvas for each pixel of the image. */
  readonly scaleX: number;
  readonly scaleY: number;
  readonly canvasWidth: number;
  readonly canvasHeight: number;
  /** The size of the image, in whose pixels results are. */
  readonly width: number;
  readonly height: number;
}

/** An output of one image, without the dimension of rows. */
export interface HeadTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** How outputs describe boxes. `classes` is the number of labels. */
export type BoxHead =
  /**
   * `[4 + classes + extra, anchors]` (v8 and later) or, with `objectness`, `[anchors, 5 + classes + extra]` (v5, v7): the centre and
   * the size in pixels of the canvas, and scores between 0 and 1.
   */
  | {
      readonly kind: 'yolo';
      readonly objectness: boolean;
      readonly classes: number;
      readonly extra: number;
    }
  /** `[boxes, 6 + extra]`: two corners in pixels of the canvas, score, class. Nothing is suppressed. */
  | { readonly kind: 'yolo-nms'; readonly extra: number }
  /**
   * Logits `[queries, classes]` and boxes `[queries, 4]`: the centre and the size in parts of the canvas. With `softmax` the last
   * class means no object. Nothing is suppressed.
   */
  | { readonly kind: 'detr'; readonly activation: 'softmax' | 'sigmoid' }
  /** Boxes `[boxes, 4]` as two corners in pixels of the canvas, scores `[boxes]`, and classes `[boxes]`. Nothing is suppressed. */
  | { readonly kind: 'listed' };

export interface BoxOptions {
  /** Boxes whose score is not above it are left out. */
  readonly threshold: number;
  /** Overlap above which of two boxes only the better one stays, for heads that do not suppress themselves. */
  readonly iou: number;
  readonly maxDetections: number;
  /** The classes that are wanted; undefined means all. */
  readonly classes?: Int32Array | undefined;
  /** Whether boxes of different classes suppress each other. */
  readonly agnostic: boolean;
  /** `soft` lowers the score of a box by its overlap (Gaussian, sigma 0.5) instead of leaving it out. */
  readonly nms: 'hard' | 'soft';
  /** Cancels the work when it aborts, within a few milliseconds; the promise then rejects with its reason. */
  readonly signal?: CancelSignal | undefined;
  /** Milliseconds from the call on, after which the promise rejects with `DEADLINE_EXCEEDED`. Default: no deadline. */
  readonly timeoutMs?: number | undefined;
}

/** Boxes by falling score, clipped to the image. */
export interface Boxes {
  readonly count: number;
  /** `[count, 4]`: left, top, right, bottom in pixels of the image. */
  readonly corners: Float32Array;
  readonly scores: Float32Array;
  readonly classes: Int32Array;
  /** The anchor, query or row of the output that each comes from. */
  readonly sources: Int32Array;
}

/** A part of an image. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  /**
   * The uncompressed counts of COCO's run-length encoding: the lengths of runs of 0 and 1 in turn, beginning with 0, down the
   * columns from the left.
   */
  readonly counts: Uint32Array;
  /** Pixels of the part. */
  readonly area: number;
  /** Left, top, width and height of the smallest box that holds the part. */
  readonly box: readonly [number, number, number, number];
}

/** A part of an image with its class. */
export interface Segment {
  readonly class: number;
  readonly score: number;
  readonly mask: Mask;
}

/** How outputs describe segments. */
export type SegmentHead =
  /**
   * Logits `[classes, height, width]` over the whole canvas; each pixel has the class of the highest one, and a segment the mean
   * probability of its pixels. One class alone means a sigmoid.
   */
  | { readonly kind: 'semantic' }
  /** Boxes as `yolo` (or `yolo-nms`), whose `extra` coefficients weigh the prototypes `[extra, height, width]`. */
  | { readonly kind: 'yolo-seg'; readonly boxes: BoxHead }
  /** As `listed`, and probabilities `[boxes, 1, height, width]`: over the whole canvas, or over each box if `inBoxes`. */
  | { readonly kind: 'mask-rcnn'; readonly inBoxes: boolean }
  /**
   * Class logits `[queries, classes + 1]`, the last of which means no object, and mask logits `[queries, height, width]` over the
   * whole canvas: panoptic segments as `post_process_panoptic_segmentation` of transformers.
   */
  | { readonly kind: 'maskformer' };

export interface SegmentOptions extends BoxOptions {
  /** The probability from which a pixel belongs to the mask of a box or a query. */
  readonly maskThreshold: number;
}

/** Functions on images. */
export interface Images {
  /**
   * Resizes pixels as Pillow does, to the byte, and lays them on a canvas.
   *
   * @returns `[canvasHeight, canvasWidth, channels]`, or with the channels first; floats of 16 bits as their bits.
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT`, `RESOURCE_EXHAUSTED`
   */
  place(
    pixels: Pixels,
    placement: Placement,
    form: CanvasForm,
  ): Promise<Uint8Array | Float32Array | Uint16Array>;
  /**
   * The boxes that the outputs describe. The tensors are those that `head` names, in its order.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT`, `CANCELLED`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`
   */
  boxes(
    head: BoxHead,
    tensors: readonly HeadTensor[],
    geometry: CanvasGeometry,
    options: BoxOptions,
  ): Promise<Boxes>;
  /**
   * The segments that the outputs describe, by falling score; those of `semantic` by class. Their masks may have 4,000,000 counts in
   * all.
   *
   * @throws {MillraceError} (as a rejection) as `boxes`
   */
  segments(
    head: SegmentHead,
    tensors: readonly HeadTensor[],
    geometry: CanvasGeometry,
    options: SegmentOptions,
  ): Promise<readonly Segment[]>;
  /** The mask as `[height, width]` bytes of 0 and 255. */
  bitmap(mask: Mask): Promise<Uint8Array>;
  /**
   * The outlines of the mask: for each part x and y of its corners in turn, as COCO lists them.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT` for more than 4,000,000 numbers
   */
  polygons(mask: Mask): Promise<readonly (readonly number[])[]>;
  /** A copy of the RGB pixels with the masks blended over them, each in its colour. */
  overlay(
    pixels: Pixels,
    masks: readonly Mask[],
    colors: readonly (readonly [number, number, number])[],
    opacity: number,
  ): Promise<Uint8Array>;
  /** The bytes that base64 stands for; undefined if it is not base64. Spaces are refused. */
  decodeBase64(text: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined>;
}
