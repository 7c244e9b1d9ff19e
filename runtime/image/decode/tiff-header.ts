/** @module Reads the header of a TIFF file (Adobe, TIFF Revision 6.0), and of BigTIFF. */

import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage, MAX_SIDE } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

const MAX_TAGS = 4096;
/** Red, green, blue, alpha and one more. */
const MAX_CHANNELS = 5;
const SEPARATED = 5;

const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  photometric: 262,
  channels: 277,
  tileWidth: 322,
  tileHeight: 323,
} as const;

/** Bytes of a value of each type that a size may have. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export function readTiffHeader(file: Uint8Array, { maxPixels }: HeaderOptions): ImageHeader {
  const tags = firstTags(new HeaderBytes(file));
  const width = tags.get(TAG.width) ?? 0;
  const height = tags.get(TAG.height) ?? 0;
  checkSize(width, height, maxPixels);
  const channels = tags.get(TAG.channels) ?? 1;
  if (channels > MAX_CHANNELS) throw invalidImage(`has ${channels} channels`);
  const bits = tags.get(TAG.bits) ?? 1;
  if (bits > 64) throw invalidImage(`has ${bits} bits for each channel`);
  const tileWidth = tags.get(TAG.tileWidth) ?? 1;
  const tileHeight = tags.get(TAG.tileHeight) ?? 1;
  // The decoder holds rows of whole tiles, which may be larger than the image.
  if (tileWidth > MAX_SIDE || tileHeight > MAX_SIDE || tileWidth * tileHeight > maxPixels) {
    throw invalidImage('has tiles that are too large');
  }
  const isCmyk = tags.get(TAG.photometric) === SEPARATED && channels >= 4;
  return { format: 'tiff', width, height, bits, isCmyk, isHeld: true };
}

/** The first value of each tag of the first page that has a whole number. */
function firstTags(bytes: HeaderBytes): Map<number, number> {
  const little = bytes.has(0, 'II');
  const isBig = bytes.uint16(2, little) === 43;
  const page = isBig ? bytes.uint64(8, little) : bytes.uint32(4, little);
  if (page < 8 || page >= bytes.length) throw damagedImage('ends before its header does');
  const count = isBig ? bytes.uint64(page, little) : bytes.uint16(page, little);
  if (count > MAX_TAGS) throw invalidImage(`has more than ${MAX_TAGS} tags`);
  const [first, step, countBytes] = isBig ? [page + 8, 20, 8] : [page + 2, 12, 4];
  const tags = new Map<number, number>();
  for (let i = 0; i < count; i += 1) {
    const at = first + i * step;
    const size = TYPE_BYTES[bytes.uint16(at + 2, little)];
    if (size === undefined) continue;
    const inline = at + 4 + countBytes;
    const values = isBig ? bytes.uint64(at + 4, little) : bytes.uint32(at + 4, little);
    const place = size * values <= countBytes ? inline : offset(bytes, inline, isBig, little);
    if (place + size > bytes.length) continue;
    tags.set(bytes.uint16(at, little), value(bytes, place, size, little));
  }
  return tags;
}

const offset = (bytes: HeaderBytes, at: number, isBig: boolean, little: boolean): number =>
  isBig ? bytes.uint64(at, little) : bytes.uint32(at, little);

function value(bytes: HeaderBytes, at: number, size: number, little: boolean): number {
  if (size === 1) return bytes.uint8(at);
  if (size === 2) return bytes.uint16(at, little);
  return size === 4 ? bytes.uint32(at, little) : bytes.uint64(at, little);
}
