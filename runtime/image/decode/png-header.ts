/** @module Reads the header of a PNG file (W3C, Portable Network Graphics, 5). */

import { ShortTurns } from '../../short-turns.ts';
import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

/** Beyond so many chunks the end is not looked for. Encoders write chunks of 8 KiB or more. */
const MAX_CHUNKS = 65_536;
/** After so many chunks the time of the turn is looked at. */
const CHUNKS_PER_TURN = 4096;
/** Length, type and checksum. */
const CHUNK_BYTES = 12;
const FIRST_CHUNK = 8;

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export async function readPngHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): Promise<ImageHeader> {
  const bytes = new HeaderBytes(file);
  bytes.need(FIRST_CHUNK, CHUNK_BYTES + 13);
  if (!bytes.has(FIRST_CHUNK + 4, 'IHDR')) throw invalidImage('has no header');
  const width = bytes.uint32(16);
  const height = bytes.uint32(20);
  const bits = bytes.uint8(24);
  const isInterlaced = bytes.uint8(28) !== 0;
  // Rows of the passes are put together in memory, with up to four channels.
  const heldBytes = isInterlaced ? 3 + bits / 2 : 3;
  checkSize(width, height, maxPixels);
  if (!tolerant) await checkEnd(bytes);
  return { format: 'png', width, height, bits, isCmyk: false, heldBytes };
}

async function checkEnd(bytes: HeaderBytes): Promise<void> {
  const turns = new ShortTurns();
  let at = FIRST_CHUNK;
  for (let chunks = 0; chunks < MAX_CHUNKS; chunks += 1) {
    if (at + CHUNK_BYTES > bytes.length) throw damagedImage('ends before its last pixels');
    if (bytes.has(at + 4, 'IEND')) return;
    at += bytes.uint32(at) + CHUNK_BYTES;
    if (chunks % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await turns.pause();
  }
}
