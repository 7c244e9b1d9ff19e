/** @module Reads the header of a GIF file (CompuServe, Graphics Interchange Format, Version 89a). */

import type { ServeError } from '../../errors.ts';
import { ShortTurns } from '../../short-turns.ts';
import { HeaderBytes } from './header-bytes.ts';
import { checkSize, damagedImage, invalidImage } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';

/** Beyond so many blocks the end is not looked for. */
const MAX_BLOCKS = 131_072;
/** After so many blocks the time of the turn is looked at. */
const BLOCKS_PER_TURN = 4096;
/** Four channels, and the indexes of colours. */
const HELD_BYTES = 5;
const SCREEN_BYTES = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/** @throws {ServeError} `INVALID_IMAGE`, `IMAGE_TOO_LARGE` */
export async function readGifHeader(
  file: Uint8Array,
  { maxPixels, tolerant }: HeaderOptions,
): Promise<ImageHeader> {
  const bytes = new HeaderBytes(file);
  const width = bytes.uint16(6, true);
  const height = bytes.uint16(8, true);
  checkSize(width, height, maxPixels);
  const walk = new Walk(bytes, maxPixels);
  try {
    await walk.run();
  } catch (error) {
    if (!tolerant || walk.firstWidth === 0) throw error;
  }
  if (walk.firstWidth === 0) throw invalidImage('has no frame');
  const end = walk.firstEnd;
  return {
    ...{ format: 'gif', bits: 8, isCmyk: false, heldBytes: HELD_BYTES },
    width: Math.max(width, walk.firstWidth),
    height: Math.max(height, walk.firstHeight),
    firstFrame: end === 0 || end + 1 >= bytes.length ? undefined : () => cutAfter(file, end),
  };
}

function cutAfter(file: Uint8Array, end: number): Uint8Array {
  const first = new Uint8Array(end + 1);
  first.set(file.subarray(0, end));
  first[end] = TRAILER;
  return first;
}

/** Bytes of a table of colours, which a byte of flags describes. */
const colours = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** A walk over the blocks to the end of the file. */
class Walk {
  /** The size of the first frame; 0 if there is none. */
  firstWidth = 0;
  firstHeight = 0;
  /** Where the first frame ends; 0 if that was not found. */
  firstEnd = 0;
  readonly #bytes: HeaderBytes;
  readonly #maxPixels: number;
  #at: number;
  #left = MAX_BLOCKS;

  constructor(bytes: HeaderBytes, maxPixels: number) {
    this.#bytes = bytes;
    this.#maxPixels = maxPixels;
    this.#at = SCREEN_BYTES + colours(bytes.uint8(10));
  }

  /** @throws {ServeError} `INVALID_IMAGE` for a damaged block, or if the end is missing */
  async run(): Promise<void> {
    const turns = new ShortTurns();
    let pauseAt = this.#left - BLOCKS_PER_TURN;
    for (; this.#left > 0; this.#left -= 1) {
      if (this.#left <= pauseAt) {
        await turns.pause();
        pauseAt = this.#left - BLOCKS_PER_TURN;
      }
      if (this.#at >= this.#bytes.length) throw this.#fault('ends before its last frame');
      const kind = this.#bytes.uint8(this.#at);
      if (kind === TRAILER) return;
      if (kind === IMAGE) this.#frame();
      else if (kind === EXTENSION) this.#at += 2;
      else throw this.#fault('has a damaged block');
      const isWhole = this.#data();
      if (kind === IMAGE && isWhole && this.firstEnd === 0) this.firstEnd = this.#at;
    }
  }

  /** What is left without a frame cannot be tolerated. */
  #fault(fact: string): ServeError {
    return this.firstWidth === 0 ? invalidImage(fact) : damagedImage(fact);
  }

  #frame(): void {
    const width = this.#bytes.uint16(this.#at + 5, true);
    const height = this.#bytes.uint16(this.#at + 7, true);
    if (this.firstWidth === 0) {
      checkSize(width, height, this.#maxPixels);
      this.firstWidth = width;
      this.firstHeight = height;
    }
    // The smallest size of codes comes before the data.
    this.#at += 11 + colours(this.#bytes.uint8(this.#at + 9));
  }

  /** Goes over the data of a block. Returns whether its end was reached. */
  #data(): boolean {
    for (; this.#left > 0; this.#left -= 1) {
      if (this.#at >= this.#bytes.length) throw this.#fault('ends before its last frame');
      const length = this.#bytes.uint8(this.#at);
      this.#at += 1 + length;
      if (length === 0) return true;
    }
    return false;
  }
}
