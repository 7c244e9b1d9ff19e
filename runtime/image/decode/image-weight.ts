/** @module How much memory decoding an image takes. */

import type { ImageHeader } from './image-header.ts';

/** Bytes of a pixel that was decoded. */
const PIXEL_BYTES = 3;
/** The four inks of a pixel are decoded, inverted and then mixed. */
const INK_BYTES = 4;

/** Bytes of the pixels of an image. */
export const pixelBytes = (width: number, height: number): number => width * height * PIXEL_BYTES;

/** Bytes that decoding an image takes at most, with its pixels. */
export function decodeBytes({ width, height, isCmyk, heldBytes }: ImageHeader): number {
  return width * height * (PIXEL_BYTES + heldBytes + (isCmyk ? INK_BYTES : 0));
}
