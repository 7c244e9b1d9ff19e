/** @module Reads the header of an AVIF file (AV1 Image File Format; ISO/IEC 14496-12 and 23008-12). */

import { HeaderBytes } from './header-bytes.ts';
import { checkSize, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

const MAX_BOXES = 4096;
/** Brands are looked at up to this place. */
const BRANDS_END = 272;
/** The planes of the codec, those that are converted, and alpha. */
const HELD_BYTES = 16;
const DEEP_BYTES = 27;

interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export function readAvifHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): ImageHeader {
  const bytes = new HeaderBytes(file);
  const outer = boxes(bytes, 0, bytes.length);
  if (!tolerant && outer.some(({ end }) => end > bytes.length)) {
    throw invalidImage('ends before its last pixels');
  }
  const meta = find(outer, 'meta');
  const inMeta = boxes(bytes, meta.start + 4, meta.end);
  const properties = find(inMeta, 'iprp');
  const inProperties = boxes(bytes, properties.start, properties.end);
  const container = find(inProperties, 'ipco');
  const all = boxes(bytes, container.start, container.end);
  // Tiles and thumbnails have sizes, too; the decoder holds as many pixels as the largest.
  const sizes = all.filter(({ type }) => type === 'ispe');
  if (sizes.length === 0) throw invalidImage('has no size in its header');
  let [width, height] = [0, 0];
  for (const { start } of sizes) {
    const size = [bytes.uint32(start + 4), bytes.uint32(start + 8)] as const;
    checkSize(...size, maxPixels);
    if (size[0] * size[1] > width * height) [width, height] = size;
  }
  const bits = Math.max(8, ...all.map((box) => bitsOf(bytes, box)));
  const heldBytes = bits > 8 ? DEEP_BYTES : HELD_BYTES;
  const sequence = outer.find(({ type }) => type === 'moov');
  const firstFrame = sequence && (() => withoutSequence(file, sequence));
  return { format: 'avif', width, height, bits, isCmyk: false, heldBytes, firstFrame };
}

/** The still image of a file that also has a sequence, which its brands then may not name. */
function withoutSequence(file: Uint8Array, { start }: Box): Uint8Array {
  const copy = file.slice();
  const bytes = new HeaderBytes(copy);
  const write = (text: string, at: number) => copy.set(new TextEncoder().encode(text), at);
  write('free', start - 4);
  for (let at = 8; at + 4 <= Math.min(bytes.uint32(0), BRANDS_END); at += 4) {
    if (bytes.has(at, 'avis')) write('avif', at);
    if (bytes.has(at, 'msf1')) write('mif1', at);
  }
  return copy;
}

/** Bits of a channel that a property tells, or 0. */
function bitsOf(bytes: HeaderBytes, { type, start }: Box): number {
  if (type !== 'av1C') return 0;
  const flags = bytes.uint8(start + 2);
  if ((flags & 0x40) === 0) return 8;
  return (flags & 0x20) === 0 ? 10 : 12;
}

function boxes(bytes: HeaderBytes, from: number, end: number): Box[] {
  const found: Box[] = [];
  let at = from;
  while (at + 8 <= end && found.length < MAX_BOXES) {
    const length = bytes.uint32(at);
    const type = bytes.text(at + 4, 4);
    const isLong = length === 1;
    const size = isLong ? bytes.uint64(at + 8) : length === 0 ? end - at : length;
    const start = at + (isLong ? 16 : 8);
    if (at + size < start) throw invalidImage('has a damaged header');
    found.push({ type, start, end: at + size });
    at += size;
  }
  return found;
}

function find(list: readonly Box[], type: string): Box {
  const found = list.find((box) => box.type === type);
  if (found === undefined) throw invalidImage('has no header');
  return found;
}
