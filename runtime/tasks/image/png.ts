/** @module Writes PNG files off the thread. */

import { loadSharp } from '../../image/decode/sharp-pixels.ts';
import { Slots } from '../../slots.ts';

/** Files that are written at the same time: each needs the memory of its pixels. */
const slots = new Slots(2);

/** Masks have long runs of equal bytes. */
const MASK_COMPRESSION = 6;
/** Photographs hardly become smaller at higher levels, which take several times as long. */
const PICTURE_COMPRESSION = 3;

/**
 * @param pixels `[height, width, channels]`; it is called when there is a slot, so that not all pixels are in memory at once.
 * @param channels 1 (grey) or 3 (RGB).
 */
export function writePng(
  width: number,
  height: number,
  channels: 1 | 3,
  pixels: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  return slots.use(async () => {
    const sharp = await loadSharp();
    const picture = sharp(await pixels(), { raw: { width, height, channels } });
    return channels === 1
      ? picture.toColourspace('b-w').png({ compressionLevel: MASK_COMPRESSION }).toBuffer()
      : picture.png({ compressionLevel: PICTURE_COMPRESSION }).toBuffer();
  });
}
