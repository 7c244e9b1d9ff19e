/** @module Reads the header of a WebP file (RFC 9649). */

import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

const FIRST_CHUNK = 12;
const VP8L_SIGNATURE = 0x2f;

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export function readWebpHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): ImageHeader {
  const bytes = new HeaderBytes(file);
  const [width, height] = sizeOf(bytes);
  checkSize(width, height, maxPixels);
  if (!tolerant && bytes.uint32(4, true) + 8 > bytes.length) {
    throw damagedImage('ends before its last pixels');
  }
  return { format: 'webp', width, height, bits: 8, isCmyk: false, isHeld: true };
}

function sizeOf(bytes: HeaderBytes): [width: number, height: number] {
  const data = FIRST_CHUNK + 8;
  switch (bytes.text(FIRST_CHUNK, 4)) {
    case 'VP8 ':
      if (!bytes.has(data + 3, '\x9d\x01\x2a')) throw invalidImage('has a damaged header');
      return [bytes.uint16(data + 6, true) & 0x3fff, bytes.uint16(data + 8, true) & 0x3fff];
    case 'VP8L': {
      if (bytes.uint8(data) !== VP8L_SIGNATURE) throw invalidImage('has a damaged header');
      const size = bytes.uint32(data + 1, true);
      return [(size & 0x3fff) + 1, ((size >>> 14) & 0x3fff) + 1];
    }
    case 'VP8X':
      return [bytes.uint24(data + 4) + 1, bytes.uint24(data + 7) + 1];
    default:
      throw invalidImage('has a damaged header');
  }
}
