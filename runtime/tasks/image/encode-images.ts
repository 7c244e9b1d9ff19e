/** @module Converts encoded images to the inputs of runs. */

import type { CanvasGeometry, Placement, Tensor, Tensors } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { ImageInputForm, ImageModel } from '../../image/image-model.ts';
import { linkedAbort } from '../../linked-abort.ts';
import { decodeFor } from './decode-for.ts';
import type { ImageInput, ImageTools, ImageWaiter } from './operation.ts';

/** The runs of a request, and where each image lies in its input. */
export interface EncodedImages {
  readonly runs: readonly Tensors[];
  readonly geometries: readonly CanvasGeometry[];
}

/**
 * Decodes the images side by side, and lays each out for the model. The first failure stops the others.
 *
 * @throws {ServeError} the errors of `ImageDecoder.decode`, with the place of the image, when nothing more is done with the others
 */
export async function encodeImages(
  model: ImageModel,
  input: ImageInput,
  tools: ImageTools,
  waiter: ImageWaiter,
): Promise<EncodedImages> {
  const { signal, abort, unlink } = linkedAbort(waiter.signal);
  const patience: ImageWaiter = { signal, timeLeft: () => waiter.timeLeft() };
  const failures: unknown[] = [];
  const encoding = input.images.map(async (_, index) => {
    try {
      return await encodeImage(model, input, index, tools, patience);
    } catch (error) {
      failures.push(input.images.length === 1 ? error : withPlace(error, input.placeOf(index)));
      abort(error);
      return undefined;
    }
  });
  const encoded = await Promise.all(encoding);
  unlink();
  if (failures.length > 0) throw failures[0];
  return {
    runs: encoded.map((each) => each!.run),
    geometries: encoded.map((each) => each!.geometry),
  };
}

async function encodeImage(
  model: ImageModel,
  input: ImageInput,
  index: number,
  tools: ImageTools,
  waiter: ImageWaiter,
): Promise<{ readonly run: Tensors; readonly geometry: CanvasGeometry }> {
  const { input: form } = model;
  const target = (width: number, height: number) => form.placement(width, height);
  const image = await decodeFor(model, input, index, tools, waiter, target);
  try {
    if (waiter.signal?.aborted) throw waiter.signal.reason;
    const { width, height } = image;
    const placement = form.placement(width, height);
    const data = await tools.images.place(image.pixels, placement, form.form);
    return {
      run: inputsOf(form, placement, data),
      geometry: {
        ...{ left: placement.left, top: placement.top, width, height },
        ...{ canvasWidth: placement.canvasWidth, canvasHeight: placement.canvasHeight },
        scaleX: placement.width / width,
        scaleY: placement.height / height,
      },
    };
  } finally {
    image.release();
  }
}

/** The inputs of a run on an image without light. */
export function blackImage(form: ImageInputForm, placement: Placement): Tensors {
  const size = placement.canvasWidth * placement.canvasHeight * form.form.channels;
  const array = ARRAYS[form.type];
  return inputsOf(form, placement, new array(size));
}

const ARRAYS = {
  pixels: Uint8Array,
  uint8: Uint8Array,
  float16: Uint16Array,
  float32: Float32Array,
} as const;

/** The inputs of a run for what `Images.place` returned. */
function inputsOf(
  { name, mask, maskType, hasRows, type, form }: ImageInputForm,
  placement: Placement,
  data: Uint8Array | Uint16Array | Float32Array,
): Tensors {
  const { canvasHeight, canvasWidth } = placement;
  const size = form.layout.endsWith('hwc')
    ? [canvasHeight, canvasWidth, form.channels]
    : [form.channels, canvasHeight, canvasWidth];
  const rows = hasRows ? [1] : [];
  const own = {
    type: type === 'pixels' ? 'uint8' : type,
    dims: [...rows, ...size],
    data,
  } as Tensor;
  if (mask === undefined) return { [name]: own };
  const dims = [...rows, canvasHeight, canvasWidth];
  return { [name]: own, [mask]: maskOf(placement, dims, maskType) };
}

/** 1 where the image is, and 0 where the canvas is empty. */
function maskOf(
  { left, top, width, height, canvasWidth, canvasHeight }: Placement,
  dims: readonly number[],
  type: ImageInputForm['maskType'],
): Tensor {
  const cells = canvasWidth * canvasHeight;
  const data = type === 'int64' ? new BigInt64Array(cells) : new Uint8Array(cells);
  const one = type === 'int64' ? 1n : 1;
  const first = Math.max(left, 0);
  const last = Math.min(left + width, canvasWidth);
  for (let y = Math.max(top, 0); y < Math.min(top + height, canvasHeight); y += 1) {
    data.fill(one as never, y * canvasWidth + first, y * canvasWidth + last);
  }
  return { type: type === 'int64' ? 'int64' : 'bool', dims, data } as Tensor;
}

/** The same error with the place of the image, as the first word of its sentence. */
function withPlace(error: unknown, place: string): unknown {
  if (!(error instanceof ServeError)) return error;
  const { code, message, retryAfterMs, param } = error;
  return new ServeError(code, `${place}: ${message}`, { cause: error, retryAfterMs, param });
}
