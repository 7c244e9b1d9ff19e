/** @module Pictures with the segments that they show, each in the colour of its class. */

import type { Segment } from '../../../native/index.ts';
import type { ImageModel } from '../../image/image-model.ts';
import { isBackground } from '../../image/labels.ts';
import { checkWaits } from './check-waits.ts';
import { decodeFor } from './decode-for.ts';
import type { ImageInput, ImageTools, ImageWaiter } from './operation.ts';
import type { Bitmap } from './png.ts';

const OPACITY = 0.5;
type Color = readonly [number, number, number];

/**
 * The image in its full size with the masks blended over it, if its client still waits.
 *
 * @param index Of the image among those of the request.
 * @throws {ServeError} the errors of `ImageDecoder.decode`; `DEADLINE_EXCEEDED`
 */
export async function overlayOf(
  model: ImageModel,
  input: ImageInput,
  index: number,
  segments: readonly Segment[],
  tools: ImageTools,
  waiter: ImageWaiter,
): Promise<Bitmap> {
  checkWaits(waiter);
  // The colour of what is no thing would lie over the whole picture.
  const shown = segments.filter((segment) => !isBackground(model.labels[segment.class]));
  // Decoded once more, because the pixels were not kept while the model ran.
  const image = await decodeFor(model, input, index, tools, waiter);
  try {
    const { pixels, width, height } = image;
    const masks = shown.map(({ mask }) => mask);
    const colors = shown.map((segment) => colorOf(segment.class));
    const data = await tools.images.overlay(pixels, masks, colors, OPACITY);
    return { data, width, height, channels: 3 };
  } finally {
    image.release();
  }
}

/** The golden ratio's part of a turn puts the hues of neighbouring classes far apart, however many there are. */
const TURN = (Math.sqrt(5) - 1) / 2;
/** Brightness and saturation change too, so that classes of similar hue differ. */
const SHADES = [
  { saturation: 0.9, value: 1 },
  { saturation: 0.65, value: 0.85 },
  { saturation: 1, value: 0.65 },
] as const;

/** The colour of a class, which is always the same. */
export function colorOf(index: number): Color {
  const { saturation, value } = SHADES[index % SHADES.length]!;
  const hue = ((index * TURN) % 1) * 6;
  // From HSV: each channel falls with the distance of the hue from its own.
  const channel = (own: number) => {
    const distance = Math.abs(((hue - own + 9) % 6) - 3);
    const full = Math.min(Math.max(2 - distance, 0), 1);
    return Math.round(255 * value * (1 - saturation * (1 - full)));
  };
  return [channel(0), channel(2), channel(4)];
}
