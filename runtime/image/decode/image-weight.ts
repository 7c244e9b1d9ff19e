/** @module How much memory decoding an image takes. */

import type { ImageHeader } from './image-header.ts';
import type { Size } from './reduced-size.ts';

/** Bytes of a pixel that was decoded. */
const PIXEL_BYTES = 3;
/** The four inks of a pixel are decoded, inverted and then mixed. */
const INK_BYTES = 4;

/** What is held for each pixel of an image that is decoded row by row, at most. */
const ROWS_BYTES = 3;
/** For reduced images: the pixels before and after they are resized and turned, and bytes of rows for each column. */
const REDUCED_TIMES = 6;
const REDUCED_ROWS = 256;

/** Bytes of the pixels of an image. */
export const pixelBytes = (width: number, height: number): number => width * height * PIXEL_BYTES;

/** Bytes that decoding an image takes at most, with its pixels. @param reduced The size in which it is decoded, if not its own. */
export function decodeBytes(
  { width, height, isCmyk, heldBytes }: ImageHeader,
  reduced?: Size,
): number {
  if (reduced !== undefined) {
    const held = heldBytes > ROWS_BYTES ? width * height * heldBytes : width * REDUCED_ROWS;
    return held + REDUCED_TIMES * pixelBytes(reduced.width, reduced.height);
  }
  return width * height * (PIXEL_BYTES + heldBytes + (isCmyk ? INK_BYTES : 0));
}
