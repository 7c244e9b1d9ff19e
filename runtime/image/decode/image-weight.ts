/** @module How much memory decoding an image takes. */

import type { ImageHeader } from './image-header.ts';

/** Bytes of a pixel that was decoded. */
const PIXEL_BYTES = 3;
/** Bytes for each pixel of an image that is decoded as a whole before it is converted. */
const HELD_BYTES = 8;
/** Bytes for each pixel of an image that is decoded row by row: it is turned round in memory if its orientation says so. */
const ROWS_BYTES = 3;
/** Four channels, twice. */
const CMYK_BYTES = 8;

/** Bytes of the pixels of an image. */
export const pixelBytes = (width: number, height: number): number => width * height * PIXEL_BYTES;

/** Bytes that decoding an image takes at most, with its pixels. */
export function decodeBytes({ width, height, bits, isCmyk, isHeld }: ImageHeader): number {
  const held = (isHeld ? HELD_BYTES : ROWS_BYTES) * (bits > 8 ? 2 : 1);
  return width * height * (PIXEL_BYTES + held + (isCmyk ? CMYK_BYTES : 0));
}
