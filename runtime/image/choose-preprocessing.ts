/** @module Decides how images are prepared: by the files, by the metadata of an export, or by the input of the graph. */

import { ServeError } from '../errors.ts';
import type { ImageDescription, ImageHead, Preprocessing } from './image-model.ts';
import type { FoundInput } from './input-form.ts';
import { fixedCanvas } from './placement.ts';
import type { UltralyticsExport } from './ultralytics.ts';

export interface ChosenPreprocessing {
  readonly preprocessing: Preprocessing;
  readonly notes: readonly string[];
}

/** The side of YOLO's input if nothing says another one. */
const YOLO_SIDE = 640;

/** The grey of a letterbox. */
const YOLO_FILL = 114;

/** Images as they are. */
const WHOLE = { resize: undefined, crop: undefined, pad: undefined } as const;

/** Bytes divided by 255 and no more. */
const UNIT = { scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], reverse: false } as const;

/**
 * How images are prepared for the input.
 *
 * @returns It, or a sentence without a full stop that says what is not known.
 * @throws {ServeError} `INVALID_CONFIG` if the files ask for another size than the graph takes.
 */
export function choosePreprocessing(
  { preprocessing, task }: ImageDescription,
  input: FoundInput,
  head: ImageHead,
  exported: UltralyticsExport | undefined,
): ChosenPreprocessing | string {
  const isListed = head.kind !== 'scores' && head.kind !== 'vector' && LISTED.has(head.head);
  if (preprocessing !== undefined) {
    const fits = fitted(preprocessing, input);
    return isListed ? limited(fits) : fits;
  }
  const isYolo = head.kind !== 'scores' && head.kind !== 'vector' && head.head.startsWith('yolo');
  if (isYolo) return letterbox(input, exported);
  const size = sizeOf(input) ?? exported?.size;
  if (exported?.task === 'classify' && size !== undefined) {
    return { preprocessing: middle(size), notes: [noteOf('scaled to cover', size)] };
  }
  if (size === undefined) {
    if (isListed) {
      return limited({
        preprocessing: { ...WHOLE, ...UNIT, filter: 'bilinear' },
        notes: [KEEPS],
      });
    }
    return `The input '${input.name}' takes images of any size, and no file says to which size the task ${task} resizes them; write preprocessor_config.json`;
  }
  return {
    preprocessing: {
      ...WHOLE,
      ...UNIT,
      resize: { kind: 'exact', ...size },
      filter: 'bilinear',
    },
    notes: [
      noteOf('resized', size, input.type === 'uint8' ? '' : ', and their bytes are divided by 255'),
    ],
  };
}

/** Detectors that resize images in the graph. */
const LISTED: ReadonlySet<string> = new Set(['ssd', 'retinanet', 'faster-rcnn', 'mask-rcnn']);

/**
 * The longest side of images for such detectors, pixels. The graphs resize images to 1333 pixels at most themselves, but return masks
 * in the size of the image: floats of each of up to 100 masks, which for 12 megapixels would be 5 GB.
 */
const LONGEST_LISTED = 1024;

/** Images that would keep their size are not larger than the masks of all detections may be. */
function limited({ preprocessing, notes }: ChosenPreprocessing): ChosenPreprocessing {
  if (preprocessing.resize !== undefined) return { preprocessing, notes };
  return {
    preprocessing: { ...preprocessing, resize: { kind: 'at-most', longest: LONGEST_LISTED } },
    notes: [
      ...notes,
      `Images with a side of more than ${LONGEST_LISTED} pixels are resized to that; preprocessor_config.json may have another size`,
    ],
  };
}

const KEEPS =
  'No preprocessor_config.json says how images are prepared: they keep their size, and their bytes are divided by 255';

const noteOf = (
  how: string,
  { width, height }: { readonly width: number; readonly height: number },
  more = ', and their bytes are divided by 255',
): string =>
  `No preprocessor_config.json says how images are prepared: they are ${how} to ${width} × ${height} pixels${more}`;

const sizeOf = ({ width, height }: FoundInput) =>
  width === undefined || height === undefined ? undefined : { width, height };

/** As `LetterBox` of Ultralytics. */
function letterbox(
  input: FoundInput,
  exported: UltralyticsExport | undefined,
): ChosenPreprocessing {
  const given = exported?.size ?? { width: YOLO_SIDE, height: YOLO_SIDE };
  const size = { width: input.width ?? given.width, height: input.height ?? given.height };
  const isGuess = exported?.size === undefined && sizeOf(input) === undefined;
  return {
    preprocessing: {
      ...UNIT,
      resize: { kind: 'within', ...size, nearest: true },
      filter: 'bilinear',
      crop: undefined,
      pad: { ...size, place: 'center', value: YOLO_FILL, afterNormalizing: false },
    },
    notes: isGuess
      ? [
          `Images are laid in the middle of ${size.width} × ${size.height} pixels, because no file says another size`,
        ]
      : [],
  };
}

/** As `classify_transforms` of Ultralytics: a square is the middle of the image, and other sizes are stretched to. */
const middle = (size: { readonly width: number; readonly height: number }): Preprocessing => ({
  ...UNIT,
  ...WHOLE,
  ...(size.width === size.height
    ? {
        resize: { kind: 'shortest', length: size.width, longest: undefined },
        crop: { ...size, roundsHalf: true },
      }
    : { resize: { kind: 'exact', ...size } }),
  filter: 'bilinear',
});

/** What the files ask for, if it fits the input. */
function fitted(preprocessing: Preprocessing, input: FoundInput): ChosenPreprocessing {
  const { width, height } = input;
  if (width === undefined && height === undefined) return { preprocessing, notes: [] };
  const canvas = fixedCanvas(preprocessing);
  if (canvas !== undefined) {
    const fits =
      (width ?? canvas.width) === canvas.width && (height ?? canvas.height) === canvas.height;
    if (fits) return { preprocessing, notes: [] };
    throw new ServeError(
      'INVALID_CONFIG',
      `The files say that images become ${canvas.width} × ${canvas.height} pixels (width × height), but the input '${input.name}' takes ${width ?? 'any'} × ${height ?? 'any'}; correct the sizes in preprocessor_config.json, or export the model again.`,
    );
  }
  if (width === undefined || height === undefined) {
    throw new ServeError(
      'INVALID_CONFIG',
      `The files do not bring all images to one size, but the input '${input.name}' takes ${width ?? 'any'} × ${height ?? 'any'} pixels (width × height); write a fixed size in preprocessor_config.json, or export the model again.`,
    );
  }
  const size = { width, height };
  const isPadded = preprocessing.resize !== undefined && input.mask !== undefined;
  const what = `The files do not bring all images to one size, but the input takes ${width} × ${height} pixels (width × height) only`;
  return isPadded
    ? {
        preprocessing: {
          ...preprocessing,
          resize: { kind: 'within', ...size },
          pad: { ...size, place: 'start', value: 0, afterNormalizing: true },
        },
        notes: [`${what}: they are resized to fit into it, and padded with a pixel_mask`],
      }
    : {
        preprocessing: { ...preprocessing, resize: { kind: 'exact', ...size } },
        notes: [`${what}: they are stretched to it`],
      };
}
