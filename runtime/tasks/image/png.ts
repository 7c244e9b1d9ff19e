/** @module Writes PNG files off the thread. */

import { freeMemory, loadSharp } from '../../image/decode/sharp-pixels.ts';
import { Slots } from '../../slots.ts';

/** Files that are written at the same time: each needs the memory of its pixels. */
const slots = new Slots(2);

/** Masks have long runs of equal bytes. */
const MASK_COMPRESSION = 6;
/** Photographs hardly become smaller at higher levels, which take several times as long. */
const PICTURE_COMPRESSION = 3;

/** Pixels `[height, width, channels]` of 1 (grey) or 3 (RGB) channels. */
export interface Bitmap {
  /** In memory that nothing else uses. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/**
 * @param bitmap It is called when there is a slot, so that not all pixels are in memory at once. The memory of its pixels is freed
 * when the file is written.
 */
export function writePng(bitmap: () => Promise<Bitmap>): Promise<Uint8Array> {
  return slots.use(async () => {
    const sharp = await loadSharp();
    const { data, ...raw } = await bitmap();
    try {
      const picture = sharp(data, { raw });
      return raw.channels === 1
        ? await picture.toColourspace('b-w').png({ compressionLevel: MASK_COMPRESSION }).toBuffer()
        : await picture.png({ compressionLevel: PICTURE_COMPRESSION }).toBuffer();
    } finally {
      freeMemory(data);
    }
  });
}
