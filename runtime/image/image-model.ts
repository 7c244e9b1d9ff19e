/** @module What the operations on images know about a version: how an image becomes its input, and how its outputs are read. */

import type {
  BoxHead,
  CanvasForm,
  Placement,
  ResampleFilter,
  SegmentHead,
} from '../../native/index.ts';

/** The tasks of models that take images, by the names that Hugging Face gives them. */
export const IMAGE_TASKS = [
  'image-classification',
  'object-detection',
  'image-segmentation',
  'image-feature-extraction',
] as const;

export type ImageTaskName = (typeof IMAGE_TASKS)[number];

/** The ways in which outputs describe boxes and masks; `head` of `model.json` names one. */
export const HEADS = [
  'yolo',
  'yolo-nms',
  'detr',
  'ssd',
  'retinanet',
  'faster-rcnn',
  'mask-rcnn',
  'semantic',
  'yolo-seg',
  'maskformer',
] as const;

export type HeadName = (typeof HEADS)[number];

/** The size to which an image is resized. */
export type ResizeRule =
  | { readonly kind: 'exact'; readonly width: number; readonly height: number }
  /** Images keep their size, unless their longer side is longer than this. */
  | { readonly kind: 'at-most'; readonly longest: number }
  /**
   * The shorter side gets this length, but the longer one at most `longest`; undefined means any. Then both sides become multiples
   * of a number.
   */
  | {
      readonly kind: 'shortest';
      readonly length: number;
      readonly longest: number | undefined;
      readonly multiple?: { readonly of: number; readonly rounding: 'up' | 'down' } | undefined;
    }
  /** The largest size with the image's proportions that fits into these; `nearest` rounds its sides instead of cutting them off. */
  | {
      readonly kind: 'within';
      readonly width: number;
      readonly height: number;
      readonly nearest?: boolean | undefined;
    }
  /** About this size: with the image's proportions, the side that changes less is fitted. Both sides become multiples of a number. */
  | {
      readonly kind: 'multiple';
      readonly width: number;
      readonly height: number;
      readonly of: number;
      readonly keepsProportions: boolean;
    };

/** How an image is laid out for the model, as the files beside it say: the steps of transformers' image processors. */
export interface Preprocessing {
  /** Undefined if images keep their size. */
  readonly resize: ResizeRule | undefined;
  readonly filter: ResampleFilter;
  /** Sides of the middle that is cut out after resizing; what lies outside of the image is black. */
  readonly crop:
    | {
        readonly width: number;
        readonly height: number;
        /** Whether half a pixel is rounded to an even number, as torchvision does for files; otherwise it is cut off. */
        readonly roundsHalf?: boolean | undefined;
      }
    | undefined;
  /** The canvas on which the resized image lies. */
  readonly pad:
    | {
        readonly width: number;
        readonly height: number;
        /** `center` is the letterbox of YOLO; `start` pads on the right and below. */
        readonly place: 'center' | 'start';
        /** What is beside the image: a byte, or a normalised value if `afterNormalizing`. */
        readonly value: number;
        readonly afterNormalizing: boolean;
      }
    | undefined;
  /** (byte × scale − mean[c]) / std[c]. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Whether the model takes the channels as blue, green, red. */
  readonly reverse: boolean;
}

/** What the files beside a graph say about the images that it takes. It is read before the graph is loaded. */
export interface ImageDescription {
  readonly task: ImageTaskName;
  /** Undefined if no file tells: then the shape of the input decides. */
  readonly preprocessing: Preprocessing | undefined;
  /** Names of the classes in the order of the scores; undefined if no file has them. */
  readonly labels: readonly string[] | undefined;
  /** How scores of classes become probabilities; undefined leaves it open. */
  readonly problemType:
    | 'single_label_classification'
    | 'multi_label_classification'
    | 'regression'
    | undefined;
  /** `head` of `model.json`, or as `config.json` tells. */
  readonly head: HeadName | undefined;
  /** `architectures[0]` and `model_type` of `config.json`, which tell heads apart. */
  readonly architecture: string | undefined;
  readonly modelType: string | undefined;
  /** Why images cannot be read although the graph can be run, as a sentence without a full stop; undefined if they can. */
  readonly obstacle: string | undefined;
  readonly notes: readonly string[];
}

/** How an image becomes the input of a run. */
export interface ImageInputForm {
  /** The name of the input, and that of the input `pixel_mask`, if there is one. */
  readonly name: string;
  readonly mask: string | undefined;
  /** The type of `mask`. */
  readonly maskType: 'int64' | 'bool' | undefined;
  /** Whether the input has a dimension of rows. Models of torchvision have none. */
  readonly hasRows: boolean;
  /** `pixels` are uint8 that the engine normalises while it gathers a batch; other forms are made before. */
  readonly type: 'pixels' | 'uint8' | 'float32' | 'float16';
  readonly form: CanvasForm;
  /** Where an image of this size comes to lie. */
  placement(width: number, height: number): Placement;
}

/** A version whose input is an image. It is made when the version loads, and never changes. */
export interface ImageModel {
  readonly task: ImageTaskName;
  readonly input: ImageInputForm;
  readonly head: ImageHead;
  /** Names of the classes in the order of the scores. Classes without a name are called by their number. */
  readonly labels: readonly string[];
  readonly problemType: ImageDescription['problemType'];
  /** Options of requests that set none, from `model.json`. */
  readonly defaults: ImageDefaults;
  /** Whether `/v2` takes images as BYTES: `"input": "image"` in `model.json`. */
  readonly decodes: boolean;
}

export interface ImageDefaults {
  readonly threshold?: number | undefined;
  readonly iou?: number | undefined;
  readonly topK?: number | undefined;
  readonly maxDetections?: number | undefined;
  /** `#rrggbb`, over which transparent images are laid. */
  readonly background?: string | undefined;
}

/** The outputs that a task reads, and how. */
export type ImageHead =
  /** Scores `[rows, classes]`, which are probabilities already if the graph ends with a softmax or a sigmoid. */
  | { readonly kind: 'scores'; readonly output: string; readonly areProbabilities: boolean }
  /** A vector for each image `[rows, dimensions]`, or vectors of patches `[rows, patches, dimensions]` of which one is taken. */
  | { readonly kind: 'vector'; readonly output: string; readonly pooling: 'none' | 'cls' | 'mean' }
  | {
      readonly kind: 'boxes';
      readonly head: Exclude<HeadName, 'semantic' | 'yolo-seg' | 'maskformer' | 'mask-rcnn'>;
      /** Names of the outputs: `yolo` and `yolo-nms` have one; `detr` logits and boxes; the others boxes, scores and labels. */
      readonly outputs: readonly string[];
      readonly native: BoxHead;
    }
  | {
      readonly kind: 'masks';
      readonly head: Extract<HeadName, 'semantic' | 'yolo-seg' | 'maskformer' | 'mask-rcnn'>;
      /** Names of the outputs in the order of `SegmentHead`. */
      readonly outputs: readonly string[];
      readonly native: SegmentHead;
    };
