/** @module Reads the header of a GIF file (CompuServe, Graphics Interchange Format, Version 89a). */

import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

/** Beyond so many blocks neither frames nor the end are looked for. */
const MAX_BLOCKS = 131_072;
const SCREEN_BYTES = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export function readGifHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): ImageHeader {
  const bytes = new HeaderBytes(file);
  const width = bytes.uint16(6, true);
  const height = bytes.uint16(8, true);
  checkSize(width, height, maxPixels);
  const hasFrames = checkBlocks(bytes, tolerant, maxPixels);
  if (!hasFrames) throw invalidImage('has no frame');
  return { format: 'gif', width, height, bits: 8, isCmyk: false, isHeld: true };
}

/** Bytes of a table of colours, which a byte of flags describes. */
const colours = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** Walks over the blocks to the end. Returns whether there is a frame. */
function checkBlocks(bytes: HeaderBytes, tolerant: boolean, maxPixels: number): boolean {
  let at = SCREEN_BYTES + colours(bytes.uint8(10));
  let blocks = 0;
  let hasFrames = false;
  while (blocks < MAX_BLOCKS) {
    blocks += 1;
    if (at >= bytes.length) {
      if (tolerant) return hasFrames;
      throw damagedImage('ends before its last frame');
    }
    const kind = bytes.uint8(at);
    if (kind === TRAILER) return hasFrames;
    if (kind === IMAGE) {
      if (tolerant && hasFrames) return true;
      checkSize(bytes.uint16(at + 5, true), bytes.uint16(at + 7, true), maxPixels);
      hasFrames = true;
      // The minimum size of codes comes before the data.
      at += 11 + colours(bytes.uint8(at + 9));
    } else if (kind === EXTENSION) {
      at += 2;
    } else if (tolerant) {
      return hasFrames;
    } else {
      throw damagedImage('has a damaged block');
    }
    for (;;) {
      blocks += 1;
      if (blocks >= MAX_BLOCKS) return true;
      if (at >= bytes.length && tolerant) return hasFrames;
      const length = bytes.uint8(at);
      at += 1 + length;
      if (length === 0) break;
    }
  }
  return hasFrames;
}
