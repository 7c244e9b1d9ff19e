/**
 * Where an image comes to lie in an input: the integers that the image processors of transformers 5.24 (the ones on Pillow), timm
 * and Ultralytics compute for it.
 *
 * @module
 */

import type { Placement } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { Preprocessing, ResizeRule } from './image-model.ts';

/** Longest side to which an image is resized, before the middle is cut out. */
const MAX_SIDE = 65_535;

/** Pixels of a canvas that are allowed for small images, too. */
const MAX_ENLARGED = 4_194_304;

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Where an image of this size, in pixels, comes to lie. No side is less than 1 pixel.
 *
 * @throws {ServeError} `IMAGE_TOO_LARGE` for a narrow image that would be enlarged to very many pixels.
 */
export function placementOf(
  { resize, filter, crop, pad }: Pick<Preprocessing, 'resize' | 'filter' | 'crop' | 'pad'>,
  width: number,
  height: number,
): Placement {
  const resized = resizedSize(resize, width, height);
  const cut =
    crop === undefined
      ? { ...resized, left: 0, top: 0 }
      : {
          width: crop.width,
          height: crop.height,
          left: -cropStart(resized.width, crop.width, crop.roundsHalf ?? false),
          top: -cropStart(resized.height, crop.height, crop.roundsHalf ?? false),
        };
  const shift =
    pad?.place === 'center'
      ? { left: letterboxStart(cut.width, pad.width), top: letterboxStart(cut.height, pad.height) }
      : { left: 0, top: 0 };
  const canvasWidth = pad?.width ?? cut.width;
  const canvasHeight = pad?.height ?? cut.height;
  const most = Math.max(
    width * height,
    fixedCanvas({ resize, crop, pad }) ? Infinity : MAX_ENLARGED,
  );
  if (Math.max(resized.width, resized.height) > MAX_SIDE || canvasWidth * canvasHeight > most) {
    throw new ServeError(
      'IMAGE_TOO_LARGE',
      `The image has ${width} × ${height} pixels, and would have ${resized.width} × ${resized.height} when its shorter side has the length that the model needs; send a part of it that is less narrow.`,
    );
  }
  return {
    ...resized,
    filter,
    canvasWidth,
    canvasHeight,
    left: cut.left + shift.left,
    top: cut.top + shift.top,
  };
}

/** The size of every canvas; undefined if it depends on the image. */
export function fixedCanvas({
  resize,
  crop,
  pad,
}: Pick<Preprocessing, 'resize' | 'crop' | 'pad'>): Size | undefined {
  if (pad !== undefined || crop !== undefined) return pad ?? crop;
  return resize?.kind === 'exact' ? resize : undefined;
}

function resizedSize(rule: ResizeRule | undefined, width: number, height: number): Size {
  switch (rule?.kind) {
    case undefined:
      return { width, height };
    case 'exact':
      return { width: rule.width, height: rule.height };
    case 'at-most': {
      const scale = Math.min(rule.longest / Math.max(width, height), 1);
      return atLeastOne(Math.round(width * scale), Math.round(height * scale));
    }
    case 'shortest':
      return shortestSize(rule, width, height);
    case 'within': {
      const scale = Math.min(rule.height / height, rule.width / width);
      const round = rule.nearest ? roundHalfEven : Math.trunc;
      return atLeastOne(round(width * scale), round(height * scale));
    }
    case 'multiple':
      return multipleSize(rule, width, height);
  }
}

/** As `get_size_with_aspect_ratio` and, without `longest`, `get_resize_output_image_size`. */
function shortestSize(
  { length, longest, multiple }: Extract<ResizeRule, { kind: 'shortest' }>,
  width: number,
  height: number,
): Size {
  const [least, most] = width < height ? [width, height] : [height, width];
  let exact = length;
  let short = length;
  if (longest !== undefined && (most / least) * length > longest) {
    exact = (longest * least) / most;
    short = roundHalfEven(exact);
  }
  // An image that has the size already keeps it, although its other side could come out shorter.
  const long = least === short ? most : Math.trunc((exact * most) / least);
  const size = width < height ? { width: short, height: long } : { width: long, height: short };
  const fitted =
    multiple === undefined
      ? size
      : {
          width: toMultiple(size.width, multiple),
          height: toMultiple(size.height, multiple),
        };
  return atLeastOne(fitted.width, fitted.height);
}

function toMultiple(length: number, { of, rounding }: { of: number; rounding: 'up' | 'down' }) {
  const multiple = (rounding === 'up' ? Math.ceil(length / of) : Math.floor(length / of)) * of;
  return Math.max(multiple, of);
}

/** As `get_resize_output_image_size` of DPT. */
function multipleSize(
  {
    width: wanted,
    height: wantedHeight,
    of,
    keepsProportions,
  }: Extract<ResizeRule, { kind: 'multiple' }>,
  width: number,
  height: number,
): Size {
  let scaleX = wanted / width;
  let scaleY = wantedHeight / height;
  if (keepsProportions) {
    if (Math.abs(1 - scaleX) < Math.abs(1 - scaleY)) scaleY = scaleX;
    else scaleX = scaleY;
  }
  const fit = (length: number) => Math.max(roundHalfEven(length / of) * of, of);
  return { width: fit(scaleX * width), height: fit(scaleY * height) };
}

const atLeastOne = (width: number, height: number): Size => ({
  width: Math.max(width, 1),
  height: Math.max(height, 1),
});

/** The first pixel of the middle; negative if the image is shorter than the part, which then has more margin before the image. */
function cropStart(length: number, part: number, roundsHalf: boolean): number {
  const margin = (length - part) / 2;
  return roundsHalf && margin > 0 ? roundHalfEven(margin) : Math.floor(margin);
}

/** Where a letterbox begins its image: an odd pixel of margin is behind it. */
const letterboxStart = (length: number, canvas: number): number =>
  roundHalfEven((canvas - length) / 2 - 0.1);

/** As `round` of Python. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
