/** @module Reads the header of a WebP file (RFC 9649). */

import { ShortTurns } from '../../short-turns.ts';
import { HeaderBytes } from './header-bytes.ts';
import { checkSize, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

const FIRST_CHUNK = 12;
/** Beyond so many chunks no EXIF data is looked for. */
const MAX_CHUNKS = 65_536;
/** After so many chunks the time of the turn is looked at. */
const CHUNKS_PER_TURN = 4096;
/** Four channels, and those of the codec. */
const HELD_BYTES = 9;
const VP8L_SIGNATURE = 0x2f;

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export async function readWebpHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): Promise<ImageHeader> {
  const bytes = new HeaderBytes(file);
  const [width, height] = sizeOf(bytes);
  checkSize(width, height, maxPixels);
  if (!tolerant && bytes.uint32(4, true) + 8 > bytes.length) {
    throw invalidImage('ends before its last pixels');
  }
  const firstFrame = await firstFrameOf(file, bytes);
  return {
    format: 'webp',
    width,
    height,
    bits: 8,
    isCmyk: false,
    heldBytes: HELD_BYTES,
    firstFrame,
  };
}

/** The chunks up to the first frame and, for the orientation, the EXIF data. */
async function firstFrameOf(
  file: Uint8Array,
  bytes: HeaderBytes,
): Promise<(() => Uint8Array) | undefined> {
  const turns = new ShortTurns();
  let end: number | undefined;
  let at = FIRST_CHUNK;
  for (let chunks = 0; chunks < MAX_CHUNKS && at + 8 <= bytes.length; chunks += 1) {
    const size = bytes.uint32(at + 4, true);
    const next = at + 8 + size + (size % 2);
    if (bytes.has(at, 'ANMF')) end ??= next;
    if (end !== undefined && bytes.has(at, 'EXIF')) return joined(file, end, at, next);
    at = next;
    if (chunks % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await turns.pause();
  }
  return end === undefined || end >= bytes.length ? undefined : joined(file, end, at, at);
}

const joined = (file: Uint8Array, end: number, exif: number, exifEnd: number) => () => {
  const first = new Uint8Array(end + Math.max(0, Math.min(exifEnd, file.length) - exif));
  first.set(file.subarray(0, end));
  first.set(file.subarray(exif, exifEnd), end);
  new DataView(first.buffer).setUint32(4, first.length - 8, true);
  return first;
};

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
