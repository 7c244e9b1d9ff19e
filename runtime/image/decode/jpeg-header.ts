/** @module Reads the header of a JPEG file (ITU-T T.81, annex B). */

import { ShortTurns } from '../../short-turns.ts';
import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

/** A photo has a few dozen segments before its pixels, and a large colour profile some hundred. */
const MAX_SEGMENTS = 4096;
/** Encoders write about ten scans. Each costs a pass over all pixels, though it may take only a few bytes of the file. */
const MAX_SCANS = 128;
/** The end is looked for in this many last bytes, because cameras append videos and previews. */
const TAIL_BYTES = 4 * 1024 * 1024;
/** Fill bytes before all segments together. Encoders write a few, to begin segments at even places. */
const MAX_FILL = 256 * 1024;
/** After so many markers the time of the turn is looked at. */
const MARKERS_PER_TURN = 8192;
/** So many bytes of the end are looked at before the time of the turn is. */
const TAIL_STEP = 16 * 1024;
/** The end may be looked for in one turn for so long, because the next image of a request may follow in it. Milliseconds. */
const TAIL_TURN_MS = 2;

/** Rows are converted as they are decoded, but an image that its orientation turns round is held as a whole. */
const ROWS_BYTES = 3;
/** Coefficients of several scans have 16 bits. */
const HELD_BYTES = 7;

const SOF0 = 0xc0;
const SOF2 = 0xc2;
const SOF15 = 0xcf;
const RST0 = 0xd0;
const EOI = 0xd9;
const SOS = 0xda;
const TEM = 0x01;
/** Tables, which have numbers among those of frames. */
const NO_FRAMES = [0xc4, 0xc8, 0xcc];

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export async function readJpegHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): Promise<ImageHeader> {
  const bytes = new HeaderBytes(file);
  let frame: (ImageHeader & { components: number; sof: number }) | undefined;
  let at = 2;
  let fill = MAX_FILL;
  for (let segments = 0; segments < MAX_SEGMENTS; segments += 1) {
    const first = firstFill(bytes, at);
    at = nextMarker(bytes, first, fill);
    fill -= at - first;
    const marker = bytes.uint8(at);
    at += 1;
    if (marker === TEM || (marker >= RST0 && marker < EOI)) continue;
    if (marker === EOI) throw invalidImage('has no pixels');
    const length = bytes.uint16(at);
    if (length < 2) throw invalidImage('has a damaged segment in its header');
    if (marker >= SOF0 && marker <= SOF15 && !NO_FRAMES.includes(marker)) {
      if (frame !== undefined) throw invalidImage('has two frames');
      frame = readFrame(bytes, at, marker, maxPixels);
    } else if (marker === SOS) {
      if (frame === undefined) throw invalidImage('has pixels before its header');
      const { components, sof, ...header } = frame;
      const scans = sof === SOF2 || bytes.uint8(at + 2) < components;
      if (scans) await checkScans(bytes, at);
      if (!tolerant) await checkEnd(file, at);
      return { ...header, heldBytes: scans ? HELD_BYTES : ROWS_BYTES };
    }
    at += length;
  }
  throw invalidImage(`has more than ${MAX_SEGMENTS} segments before its pixels`);
}

/** Skips bytes that do not belong between segments. */
function firstFill(bytes: HeaderBytes, from: number): number {
  const at = bytes.find(0xff, from);
  if (at < 0) throw invalidImage('ends before its pixels');
  return at;
}

/** Skips fill bytes, but not more than `most`. */
function nextMarker(bytes: HeaderBytes, from: number, most: number): number {
  let at = from;
  while (bytes.uint8(at) === 0xff) {
    at += 1;
    if (at - from > most) throw invalidImage(`has more than ${MAX_FILL} fill bytes`);
  }
  return at;
}

function readFrame(bytes: HeaderBytes, at: number, sof: number, maxPixels: number) {
  const bits = bytes.uint8(at + 2);
  const height = bytes.uint16(at + 3);
  const width = bytes.uint16(at + 5);
  const components = bytes.uint8(at + 7);
  checkSize(width, height, maxPixels);
  if (bits !== 8) throw invalidImage(`has ${bits} bits for each channel, which JPEG decoders lack`);
  const isCmyk = components === 4;
  return { format: 'jpeg', width, height, bits, isCmyk, heldBytes: 0, components, sof } as const;
}

/** Counts the scans, which begin with a marker that data cannot hold. */
async function checkScans(bytes: HeaderBytes, from: number): Promise<void> {
  const turns = new ShortTurns();
  let scans = 1;
  let markers = 0;
  for (let at = bytes.find(0xff, from); at >= 0; at = bytes.find(0xff, at + 1)) {
    if (at + 1 < bytes.length && bytes.uint8(at + 1) === SOS) scans += 1;
    if (scans > MAX_SCANS) throw invalidImage(`has more than ${MAX_SCANS} scans`);
    markers += 1;
    if (markers % MARKERS_PER_TURN === 0) await turns.pause();
  }
}

/** Decoders need no end marker, so a file whose last bytes are missing has to be found here. */
async function checkEnd(file: Uint8Array, from: number): Promise<void> {
  const turns = new ShortTurns(TAIL_TURN_MS);
  const first = Math.max(from, file.length - TAIL_BYTES);
  // The host's search for one byte would be called for each byte of a file that is full of them.
  for (let end = file.length; end > first; end -= TAIL_STEP) {
    if (hasEndMarker(file, Math.max(first, end - TAIL_STEP), end)) return;
    await turns.pause();
  }
  if (first === from) throw damagedImage('ends before its last pixels');
}

/** Whether an end marker ends between these places. */
function hasEndMarker(file: Uint8Array, from: number, end: number): boolean {
  for (let at = end - 1; at >= from; at -= 1) {
    if (file[at] === EOI && file[at - 1] === 0xff) return true;
  }
  return false;
}
