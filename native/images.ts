/**
 * The functions on images, which work on threads of the runtime's pool.
 *
 * @module
 */

import { addonCalls, type CallAddon } from './addon-call.ts';
import { loadAddon } from './binding.ts';
import { bindDetections, type NativeDetections } from './detections.ts';
import { elementArrays } from './elements.ts';
import { MillraceError } from './errors.ts';
import type { CanvasForm, Images, Mask, Pixels, Placement, ResampleFilter } from './image-types.ts';

/** The numbers of the enum `ResampleFilter` in image/resample.h, which are those of Pillow. */
const filterNumbers: Readonly<Record<ResampleFilter, number>> = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
  box: 4,
  hamming: 5,
};

/** The numbers of the enum `CanvasLayout` in image/canvas.h. */
const layoutNumbers: Readonly<Record<CanvasForm['layout'], number>> = {
  'uint8-hwc': 0,
  'uint8-chw': 1,
  'float32-hwc': 2,
  'float32-chw': 3,
  'float16-hwc': 4,
  'float16-chw': 5,
};

const elementOf = (layout: CanvasForm['layout']) =>
  layout.slice(0, -'-hwc'.length) as 'uint8' | 'float32' | 'float16';

/** The functions of the addon that addon/image_calls.cc describes. */
interface NativeImages {
  place(words: Float64Array, pixels: Uint8Array): Promise<ArrayBuffer>;
  overlay(
    pixels: Uint8Array,
    width: number,
    height: number,
    opacity: number,
    colors: Uint8Array,
    ...counts: readonly Uint32Array[]
  ): Promise<ArrayBuffer>;
  decodeBase64(text: Uint8Array): Promise<ArrayBuffer | undefined>;
}

/** Returns the numbers that `ReadPlaceJob` in addon/place_arguments.h describes. */
function placeWords(pixels: Pixels, placement: Placement, form: CanvasForm): Float64Array {
  const { channels, scale = 1, reverse = false } = form;
  const { mean = Array(channels).fill(0), std = Array(channels).fill(1) } = form;
  for (const [name, numbers] of Object.entries({ fill: form.fill, mean, std })) {
    if (numbers.length === channels) continue;
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${name} has ${numbers.length} numbers: expected one for each of ${channels} channels`,
    );
  }
  return Float64Array.of(
    pixels.width,
    pixels.height,
    pixels.channels,
    placement.width,
    placement.height,
    filterNumbers[placement.filter],
    placement.canvasWidth,
    placement.canvasHeight,
    placement.left,
    placement.top,
    layoutNumbers[form.layout],
    channels,
    Number(reverse),
    scale,
    ...form.fill,
    ...mean,
    ...std,
  );
}

function checkSizes(pixels: Pixels, masks: readonly Mask[]): void {
  const { width, height } = pixels;
  const other = masks.find((mask) => mask.width !== width || mask.height !== height);
  if (other === undefined) return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `A mask has ${other.width} × ${other.height} pixels: expected ${width} × ${height}, as the image`,
  );
}

/** Returns the bytes of colours. */
function colorBytes(colors: readonly (readonly number[])[]): Uint8Array {
  const bytes = Uint8Array.from(colors.flat());
  if (colors.flat().every((value, i) => value === bytes[i])) return bytes;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    'A color is not three whole numbers from 0 to 255: expected its red, green and blue',
  );
}

function bindPlacing(
  native: NativeImages,
  call: CallAddon,
): Pick<Images, 'place' | 'overlay' | 'decodeBase64'> {
  return {
    place: (pixels, placement, form) =>
      call(async () => {
        const buffer = await native.place(placeWords(pixels, placement, form), pixels.data);
        return new elementArrays[elementOf(form.layout)](buffer);
      }),

    overlay: (pixels, masks, colors, opacity) =>
      call(async () => {
        checkSizes(pixels, masks);
        const counts = masks.map((mask) => mask.counts);
        const { data, width, height } = pixels;
        return new Uint8Array(
          await native.overlay(data, width, height, opacity, colorBytes(colors), ...counts),
        );
      }),

    decodeBase64: (text) =>
      call(async () => {
        const buffer = await native.decodeBase64(text);
        return buffer && new Uint8Array(buffer);
      }),
  };
}

/**
 * Returns the functions on images. They have no state.
 *
 * @throws {MillraceError} `NOT_FOUND` or `FAILED_PRECONDITION` where the addon cannot be loaded.
 */
export function openImages(options: { readonly addon?: string } = {}): Images {
  const native = loadAddon(options.addon) as unknown as NativeImages & NativeDetections;
  return { ...bindPlacing(native, addonCalls()), ...bindDetections(native) };
}
