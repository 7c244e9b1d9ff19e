/** @module Reads how images are prepared from the file that transformers' image processors write. */

import { z } from 'zod';
import type { ResampleFilter } from '../../native/index.ts';
import type { Preprocessing, ResizeRule } from './image-model.ts';
import {
  classOfModels,
  type ProcessorClass,
  processorClass,
  type SizeKeys,
  takesOtherSteps,
  UNKNOWN_CLASS,
} from './processors.ts';

/** The filters by their numbers in Pillow. */
const FILTERS: readonly ResampleFilter[] = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
];

/** Longest side that images are resized to. */
const MAX_SIDE = 16_384;

const side = z.int().min(1).max(MAX_SIDE);

const sizeKeys = z.object({
  height: side.nullish(),
  width: side.nullish(),
  shortest_edge: side.nullish(),
  longest_edge: side.nullish(),
  max_height: side.nullish(),
  max_width: side.nullish(),
});

/** One number, height and width, or an object of lengths. */
const size = z.union([side, z.tuple([side, side]), sizeKeys]).nullish();

const flag = z.boolean().nullish();

/** Limits of numbers for colours, within which 32-bit floats can be computed with. */
const MOST = 1e6;
const LEAST_STD = 1e-6;

const color = z.number().min(-MOST).max(MOST);

/** One number for all channels, or one for each. */
const perChannel = z.union([color, z.array(color).min(1).max(3)]).nullish();

/** The keys that are read. Others do not change what a model gets, or belong to classes that are not known. */
export const preprocessorSchema = z.object({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: flag,
  size,
  max_size: side.nullish(),
  default_to_square: flag,
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: flag,
  crop_size: size,
  crop_pct: z.number().min(0.01).max(1).nullish(),
  do_rescale: flag,
  rescale_factor: z.number().positive().max(MOST).nullish(),
  rescale_offset: flag,
  include_top: flag,
  do_normalize: flag,
  image_mean: perChannel,
  image_std: perChannel,
  do_pad: flag,
  pad_and_return_pixel_mask: flag,
  pad_size: size,
  size_divisor: z.int().min(0).max(1024).nullish(),
  do_flip_channel_order: flag,
  ensure_multiple_of: z.int().min(1).max(1024).nullish(),
  keep_aspect_ratio: flag,
  do_split_image: flag,
});

type Keys = z.infer<typeof preprocessorSchema>;

/** What a file says, or why it cannot be followed, as a sentence without a full stop. */
export interface ReadPreprocessing {
  readonly preprocessing: Preprocessing | undefined;
  readonly obstacle: string | undefined;
  readonly notes: readonly string[];
}

/**
 * How the images are prepared that the file describes, with the keys that it leaves out as its class has them.
 *
 * @param file Its name, for messages.
 * @param modelType `model_type` of `config.json`, which tells the class if the file does not.
 * @param wrong Makes the error for a mistake, which is a clause.
 */
export function readPreprocessing(
  keys: Keys,
  file: string,
  modelType: string | undefined,
  wrong: (fault: string) => Error,
): ReadPreprocessing {
  const type = keys.image_processor_type ?? keys.feature_extractor_type ?? undefined;
  const { about, notes, obstacle: unknown } = classOf(keys, file, type, modelType);
  if (about === undefined) return { preprocessing: undefined, obstacle: unknown, notes };
  const obstacle = beyondReach(keys, file, about);
  if (obstacle !== undefined) return { preprocessing: undefined, obstacle, notes: [] };
  const preprocessing = new Reader(keys, about, wrong).read();
  if (preprocessing.crop !== undefined && preprocessing.pad !== undefined) {
    // What lies beside a small image would have one value from the crop, and another from the padding.
    const both = `do_center_crop and do_pad of ${file} are both on, which is not supported: set do_pad to false, because a crop has one size already`;
    return { preprocessing: undefined, obstacle: both, notes: [] };
  }
  return { preprocessing, obstacle: undefined, notes };
}

/** The class that the file names, or models of the type have; one that is not known is read by its keys, if they decide all. */
function classOf(
  keys: Keys,
  file: string,
  type: string | undefined,
  modelType: string | undefined,
): Pick<ReadPreprocessing, 'obstacle' | 'notes'> & { readonly about: ProcessorClass | undefined } {
  const named = type === undefined ? undefined : processorClass(type);
  if (named !== undefined) return { about: named, obstacle: undefined, notes: [] };
  const what = `image_processor_type of ${file} is '${type}'`;
  if (type !== undefined && takesOtherSteps(type)) {
    const obstacle = `${what}, whose steps are not supported: write the name of a class that does the same for this model`;
    return { about: undefined, obstacle, notes: [] };
  }
  const usual = modelType === undefined ? undefined : classOfModels(modelType);
  if (usual !== undefined) {
    const note = `${what}, which is not known: its keys are read as for other models of the type '${modelType}'`;
    return { about: usual, obstacle: undefined, notes: type === undefined ? [] : [note] };
  }
  const normalizes = isOn(keys.do_normalize, true);
  const missing = [
    ...(isOn(keys.do_resize, true) && !hasValue(keys.size) ? ['size'] : []),
    ...(normalizes && !hasValue(keys.image_mean) ? ['image_mean'] : []),
    ...(normalizes && !hasValue(keys.image_std) ? ['image_std'] : []),
  ];
  // A file without any class is an old one, or written by hand.
  if (type === undefined || missing.length === 0) {
    const unknown =
      type === undefined ? `${file} has no image_processor_type` : `${what}, which is not known`;
    const note = `${unknown}: its keys are read as those of ViTImageProcessor`;
    return { about: UNKNOWN_CLASS, obstacle: undefined, notes: [note] };
  }
  const obstacle = `${what}, which is not known, and it does not say ${missing.join(', ')}: write these keys, or the name of a class that does the same`;
  return { about: undefined, obstacle, notes: [] };
}

/** Why the file asks for what cannot be done; undefined if it does not. */
function beyondReach(keys: Keys, file: string, about: ProcessorClass): string | undefined {
  if (keys.do_split_image) {
    return `do_split_image of ${file} asks to cut images into parts, which is not supported: export the model with it off`;
  }
  if (about.meaning === 'dpt' && keys.do_pad && hasValue(keys.size_divisor)) {
    return `do_pad with size_divisor of ${file} asks to pad images on all sides, which is not supported: set do_pad to false`;
  }
  return undefined;
}

/** Whether a step is taken. An explicit null takes it away, and does not ask for what the class does. */
const isOn = (flag: boolean | null | undefined, usual: boolean): boolean =>
  flag === undefined ? usual : (flag ?? false);

const hasValue = <Value>(value: Value | null | undefined): value is Value =>
  value !== null && value !== undefined;

/** Reads the keys of one file. */
class Reader {
  readonly #keys: Keys;
  readonly #class: ProcessorClass;
  readonly #wrong: (fault: string) => Error;

  constructor(keys: Keys, about: ProcessorClass, wrong: (fault: string) => Error) {
    this.#keys = keys;
    this.#class = about;
    this.#wrong = wrong;
  }

  read(): Preprocessing {
    const keys = this.#keys;
    const { resample, doFlip } = this.#class;
    const stretched = isOn(keys.do_resize, true) ? this.#resize() : undefined;
    const crop = this.#crop() ?? stretched?.crop;
    const pad = this.#pad(crop === undefined ? stretched?.rule : { kind: 'exact', ...crop });
    return {
      resize: stretched?.rule,
      filter: FILTERS[keys.resample ?? resample]!,
      crop,
      pad,
      ...this.#colors(),
      reverse: isOn(keys.do_flip_channel_order, doFlip),
    };
  }

  /** The size to which images are resized, and for ConvNeXt also the part that is cut out. */
  #resize(): { readonly rule: ResizeRule; readonly crop?: Preprocessing['crop'] } {
    const { meaning } = this.#class;
    const lengths = this.#size();
    const { shortest_edge: shortest, longest_edge: longest } = lengths;
    const pct = this.#keys.crop_pct ?? this.#class.cropPct;
    if (meaning === 'convnext') {
      if (!hasValue(shortest)) throw this.#wrong(sizeFault(lengths, "'shortest_edge'"));
      if (shortest >= 384) return { rule: exact(shortest, shortest) };
      return {
        rule: { kind: 'shortest', length: Math.trunc(shortest / pct), longest: undefined },
        crop: { width: shortest, height: shortest },
      };
    }
    if (meaning === 'poolformer' && this.#keys.crop_pct !== null) {
      return { rule: this.#enlarged(lengths, pct) };
    }
    if (meaning === 'levit' && hasValue(shortest)) {
      const length = Math.trunc((256 / 224) * shortest);
      return { rule: { kind: 'shortest', length, longest: undefined } };
    }
    if (meaning === 'dpt') return { rule: this.#multiples(lengths) };
    if (hasValue(shortest)) return { rule: this.#edges(lengths, shortest, longest ?? undefined) };
    const { max_height: maxHeight, max_width: maxWidth, height, width } = lengths;
    if (hasValue(maxHeight) && hasValue(maxWidth) && meaning !== 'textnet') {
      return { rule: { kind: 'within', width: maxWidth, height: maxHeight } };
    }
    if (!hasValue(height) || !hasValue(width) || meaning === 'textnet') {
      throw this.#wrong(
        sizeFault(
          lengths,
          "'height' and 'width', 'shortest_edge', or 'max_height' and 'max_width'",
        ),
      );
    }
    const divisor = meaning === 'maskformer' ? this.#divisor() : 1;
    return { rule: exact(roundUp(width, divisor), roundUp(height, divisor)) };
  }

  /** `size` with names for its numbers. */
  #size(): SizeKeys {
    const { size: given, max_size: maxSize, default_to_square } = this.#keys;
    const { square, size: usual, meaning } = this.#class;
    // DETR and its like write the limit of the longer side beside the size, and have one if they write none.
    const hasLimit = meaning === 'detr' || meaning === 'yolos' || meaning === 'maskformer';
    if (!hasValue(given)) {
      return hasValue(maxSize) && meaning === 'maskformer'
        ? { ...usual, longest_edge: maxSize }
        : usual;
    }
    if (Array.isArray(given)) return { height: given[0], width: given[1] };
    if (typeof given !== 'number') return given;
    if (isOn(default_to_square, square)) return { height: given, width: given };
    const longest = hasLimit
      ? (maxSize ?? (meaning === 'maskformer' ? undefined : 1333))
      : undefined;
    return { shortest_edge: given, longest_edge: longest };
  }

  #edges(lengths: SizeKeys, length: number, longest: number | undefined): ResizeRule {
    const { meaning } = this.#class;
    const needsBoth = meaning === 'detr' || meaning === 'yolos' || meaning === 'maskformer';
    if (needsBoth && longest === undefined) {
      throw this.#wrong(sizeFault(lengths, "'longest_edge' beside 'shortest_edge'"));
    }
    if (meaning === 'yolos') {
      return { kind: 'shortest', length, longest, multiple: { of: 16, rounding: 'down' } };
    }
    const divisor = meaning === 'maskformer' || meaning === 'textnet' ? this.#divisor() : 0;
    return divisor > 1
      ? { kind: 'shortest', length, longest, multiple: { of: divisor, rounding: 'up' } }
      : { kind: 'shortest', length, longest };
  }

  #divisor(): number {
    return this.#keys.size_divisor ?? this.#class.sizeDivisor;
  }

  /** PoolFormer's size, which is that of the part that is cut out afterwards. */
  #enlarged(lengths: SizeKeys, pct: number): ResizeRule {
    const { shortest_edge: shortest, height, width } = lengths;
    if (hasValue(shortest)) {
      return { kind: 'shortest', length: Math.trunc(shortest / pct), longest: undefined };
    }
    if (!hasValue(height) || !hasValue(width)) {
      throw this.#wrong(sizeFault(lengths, "'shortest_edge', or 'height' and 'width'"));
    }
    return height === width
      ? { kind: 'shortest', length: Math.trunc(height / pct), longest: undefined }
      : exact(Math.trunc(width / pct), Math.trunc(height / pct));
  }

  #multiples(lengths: SizeKeys): ResizeRule {
    const { height, width } = lengths;
    if (!hasValue(height) || !hasValue(width)) {
      throw this.#wrong(sizeFault(lengths, "'height' and 'width'"));
    }
    const of = this.#keys.ensure_multiple_of ?? 1;
    const keepsProportions = this.#keys.keep_aspect_ratio ?? false;
    return of === 1 && !keepsProportions
      ? exact(width, height)
      : { kind: 'multiple', width, height, of, keepsProportions };
  }

  #crop(): Preprocessing['crop'] {
    const { crop, doCenterCrop } = this.#class;
    const { do_center_crop, crop_size: given } = this.#keys;
    if (crop === undefined || !isOn(do_center_crop, doCenterCrop)) return undefined;
    const { width, height } = namedSides(given ?? crop);
    if (hasValue(width) && hasValue(height)) return { width, height };
    throw this.#wrong("crop_size must have 'height' and 'width'");
  }

  /** Padding to a size that the file names. Without one, images are only padded to the size of others, and here each is alone. */
  #pad(resized: ResizeRule | undefined): Preprocessing['pad'] {
    const { doPad } = this.#class;
    const { do_pad, pad_and_return_pixel_mask, pad_size: given } = this.#keys;
    const pads =
      doPad === 'always' || isOn(do_pad === undefined ? pad_and_return_pixel_mask : do_pad, doPad);
    if (!pads || !hasValue(given)) return undefined;
    const { width, height } = namedSides(given);
    if (!hasValue(width) || !hasValue(height)) {
      throw this.#wrong("pad_size must have 'height' and 'width'");
    }
    const largest = largestSize(resized);
    if (largest === undefined || largest.width > width || largest.height > height) {
      throw this.#wrong(
        `pad_size is ${height} × ${width} (height × width), but size lets images become larger; write at least the size of the largest`,
      );
    }
    return { width, height, place: 'start', value: 0, afterNormalizing: true };
  }

  #colors(): Pick<Preprocessing, 'scale' | 'mean' | 'std'> {
    const keys = this.#keys;
    const { mean: usualMean, std: usualStd, doNormalize, dividesTwice } = this.#class;
    const rescales = isOn(keys.do_rescale, true);
    const scale = rescales ? (keys.rescale_factor ?? 1 / 255) : 1;
    const normalizes = doNormalize !== 'never' && isOn(keys.do_normalize, doNormalize);
    const givenMean = listOf(keys.image_mean) ?? usualMean;
    const givenStd = listOf(keys.image_std) ?? usualStd;
    const count = Math.max(givenMean.length, givenStd.length);
    const [mean, std] = [spread(givenMean, count), spread(givenStd, count)];
    if (mean.length !== std.length || count === 2) {
      throw this.#wrong(
        `image_mean has ${mean.length} numbers and image_std ${std.length}, but each must have 3, one for each channel`,
      );
    }
    const least = std.find((each) => Math.abs(each) < LEAST_STD);
    if (least !== undefined) {
      throw this.#wrong(`image_std must have numbers of at least ${LEAST_STD} but has ${least}`);
    }
    const offset = dividesTwice && rescales && isOn(keys.rescale_offset, false) ? 1 : 0;
    const again = dividesTwice && isOn(keys.include_top, true) ? std : std.map(() => 1);
    return {
      scale,
      // What is subtracted before both divisions.
      mean: mean.map((each) => (normalizes ? each : 0) + offset),
      std: std.map((each, c) => (normalizes ? each : 1) * again[c]!),
    };
  }
}

const exact = (width: number, height: number): ResizeRule => ({ kind: 'exact', width, height });

const roundUp = (length: number, multiple: number): number =>
  multiple > 1 ? Math.ceil(length / multiple) * multiple : length;

const namedSides = (size: number | readonly [number, number] | SizeKeys): SizeKeys => {
  if (typeof size === 'number') return { height: size, width: size };
  return 'length' in size ? { height: size[0], width: size[1] } : size;
};

const listOf = (value: number | readonly number[] | null | undefined) =>
  typeof value === 'number' ? [value] : (value ?? undefined);

/** A number for all channels is one for each. */
const spread = (numbers: readonly number[], count: number): readonly number[] =>
  numbers.length === 1 ? Array.from({ length: count }, () => numbers[0]!) : numbers;

/** The largest size that images can become; undefined if there is no limit. */
function largestSize(
  rule: ResizeRule | undefined,
): { readonly width: number; readonly height: number } | undefined {
  if (rule?.kind === 'exact' || rule?.kind === 'within') return rule;
  if (rule?.kind !== 'shortest') return undefined;
  const { longest, multiple } = rule;
  if (longest === undefined) return undefined;
  const length = multiple?.rounding === 'up' ? roundUp(longest, multiple.of) : longest;
  return { width: length, height: length };
}

const sizeFault = (lengths: SizeKeys, expected: string): string => {
  const has = Object.entries(lengths).flatMap(([key, value]) =>
    hasValue(value) ? [`'${key}'`] : [],
  );
  return `size must have ${expected} for this class but has ${has.length === 0 ? 'no length' : has.join(', ')}`;
};
