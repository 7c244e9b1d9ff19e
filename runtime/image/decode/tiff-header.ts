/** @module Reads the header of a TIFF file (Adobe, TIFF Revision 6.0), and of BigTIFF. */

import { HeaderBytes } from './header-bytes.ts';
import { checkSize, invalidImage, MAX_SIDE, unsupportedFormat } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

const MAX_TAGS = 4096;
/** Red, green, blue, alpha and one more. */
const MAX_CHANNELS = 5;
const SEPARATED = 5;
const YCBCR = 6;
const UNSIGNED = 1;
/** None, the three of faxes, LZW, JPEG, Deflate with its older number, and PackBits. */
const COMPRESSIONS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7, 8, 32_946, 32_773]);
const JPEG = 7;
/** White or black as 0, RGB, palettes, masks and inks. */
const LAST_PHOTOMETRIC = SEPARATED;
/** Tiles and strips are held as they are stored. */
const HELD_BYTES = 5;

const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  channels: 277,
  tileWidth: 322,
  tileHeight: 323,
  sampleFormat: 339,
} as const;

/** Bytes of a value of each type that a size may have. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE`, `UNSUPPORTED_MEDIA_TYPE` */
export function readTiffHeader(file: Uint8Array, { maxPixels }: HeaderOptions): ImageHeader {
  const { tags, next, nextBytes } = firstPage(new HeaderBytes(file));
  const width = tags.get(TAG.width) ?? 0;
  const height = tags.get(TAG.height) ?? 0;
  checkSize(width, height, maxPixels);
  const channels = tags.get(TAG.channels) ?? 1;
  if (channels > MAX_CHANNELS) throw invalidImage(`has ${channels} channels`);
  const bits = tags.get(TAG.bits) ?? 1;
  if (bits > 16 || (tags.get(TAG.sampleFormat) ?? UNSIGNED) !== UNSIGNED) {
    throw unsupportedFormat('a TIFF whose channels are not whole numbers of up to 16 bits');
  }
  const compression = tags.get(TAG.compression) ?? 1;
  if (!COMPRESSIONS.has(compression)) {
    throw unsupportedFormat(`a TIFF with the compression ${compression}`);
  }
  // The decoder converts YCbCr only where JPEG has made it.
  const photometric = tags.get(TAG.photometric) ?? 0;
  if (photometric > LAST_PHOTOMETRIC && !(photometric === YCBCR && compression === JPEG)) {
    throw unsupportedFormat(`a TIFF in the colour space ${photometric}`);
  }
  const tileWidth = tags.get(TAG.tileWidth) ?? 1;
  const tileHeight = tags.get(TAG.tileHeight) ?? 1;
  // The decoder holds rows of whole tiles, which may be larger than the image.
  if (tileWidth > MAX_SIDE || tileHeight > MAX_SIDE || tileWidth * tileHeight > maxPixels) {
    throw invalidImage('has tiles that are too large');
  }
  const isCmyk = photometric === SEPARATED && channels >= 4;
  const heldBytes = bits > 8 ? 2 * HELD_BYTES : HELD_BYTES;
  const firstFrame = nextBytes === 0 ? undefined : () => withoutPages(file, next, nextBytes);
  return { format: 'tiff', width, height, bits, isCmyk, heldBytes, firstFrame };
}

/** The tags of the first page, and where the place of the next one stands. */
interface FirstPage {
  /** The first value of each tag that has a whole number. */
  readonly tags: ReadonlyMap<number, number>;
  readonly next: number;
  /** Bytes of the place; 0 if there is no other page. */
  readonly nextBytes: number;
}

function firstPage(bytes: HeaderBytes): FirstPage {
  const little = bytes.has(0, 'II');
  const isBig = bytes.uint16(2, little) === 43;
  const page = isBig ? bytes.uint64(8, little) : bytes.uint32(4, little);
  if (page < 8 || page >= bytes.length) throw invalidImage('ends before its header does');
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
  const next = first + count * step;
  const hasNext = next + countBytes <= bytes.length && offset(bytes, next, isBig, little) !== 0;
  return { tags, next, nextBytes: hasNext ? countBytes : 0 };
}

function withoutPages(file: Uint8Array, next: number, nextBytes: number): Uint8Array {
  const copy = file.slice();
  copy.fill(0, next, next + nextBytes);
  return copy;
}

const offset = (bytes: HeaderBytes, at: number, isBig: boolean, little: boolean): number =>
  isBig ? bytes.uint64(at, little) : bytes.uint32(at, little);

function value(bytes: HeaderBytes, at: number, size: number, little: boolean): number {
  if (size === 1) return bytes.uint8(at);
  if (size === 2) return bytes.uint16(at, little);
  return size === 4 ? bytes.uint32(at, little) : bytes.uint64(at, little);
}
