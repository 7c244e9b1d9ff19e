/**
 * The size in which a JPEG is decoded when it will be resized to much less: the decoder then makes only a fourth or an eighth of
 * the pixels of each side, and takes little memory. The results stay within 1 grey level on average, and within 8 for 99.9 % of
 * the pixels, of those of the whole image. For less than a fourth it would be slower, and sides that the blocks of JPEG do not
 * divide would be shifted.
 *
 * @module
 */

import type { DecodeOptions } from './image-decoder.ts';
import type { ImageHeader } from './image-header.ts';

/** The sides of a block, in pixels. */
const BLOCK = 8;
/** The decoded image has this many times the sides of the target. */
const TIMES = 2.5;
/** From this ratio of the sides on, the decoder makes a fourth of the pixels. */
const LEAST_RATIO = 5;

type TargetOf = NonNullable<DecodeOptions['target']>;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Whether an image may be decoded in a reduced size, whatever its orientation. */
export const mayBeReduced = (header: ImageHeader, target: TargetOf): boolean =>
  header.format === 'jpeg' &&
  !header.isCmyk &&
  header.width % BLOCK === 0 &&
  header.height % BLOCK === 0 &&
  [header, { width: header.height, height: header.width }].some(
    (size) => reducedSize(size, target) !== undefined,
  );

/**
 * The size in which an image is decoded; undefined means its own.
 *
 * @param size Of the image after its orientation.
 */
export function reducedSize({ width, height }: Size, target: TargetOf): Size | undefined {
  const wanted = target(width, height);
  // These take whole pixels, and others of a reduced image than of the whole one.
  if (wanted.filter === 'nearest' || wanted.filter === 'box') return undefined;
  const reduced = {
    width: Math.ceil(wanted.width * TIMES),
    height: Math.ceil(wanted.height * TIMES),
  };
  const ratio = Math.min(width / reduced.width, height / reduced.height);
  return ratio >= LEAST_RATIO ? reduced : undefined;
}
