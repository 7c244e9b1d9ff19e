/**
 * The interface of what can be done with images: the code that converts a request's images to runs of a model, and the outputs of
 * the runs to the content of the response.
 *
 * @module
 */

import type { CancelSignal, Images } from '../../../native/index.ts';
import type { ImageDecoder } from '../../image/decode/image-decoder.ts';
import type { ImageModel, ImageTaskName } from '../../image/image-model.ts';
import type { PreparedInput, TaskResult } from '../task.ts';

/** The images of a request. */
export interface ImageInput {
  /** Encoded files, such as JPEG. */
  readonly images: readonly Uint8Array[];
  /** The place of an image in the request, for messages: `image`, `images[3]`. */
  placeOf(index: number): string;
  /** The colour `#rrggbb` over which transparent images are laid. Default: that of the model, else white. */
  readonly background?: string | undefined;
  /** Whether an image with a damaged end is read as far as it goes. Default: false. */
  readonly tolerant?: boolean | undefined;
}

/** Who waits for the images, and how long. */
export interface ImageWaiter {
  readonly signal?: CancelSignal | undefined;
  /** Milliseconds until the deadline of the request; undefined if it has none. */
  timeLeft(): number | undefined;
}

/** What images are read and written with. */
export interface ImageTools {
  readonly decoder: ImageDecoder;
  readonly images: Images;
}

/** Runs of a model, one for each image, with the outputs that are read. */
export interface PreparedImages<Context> extends PreparedInput<Context> {
  readonly outputs: readonly string[];
}

/** Something that can be done with images. It holds no state of requests. */
export interface ImageOperation<Input extends ImageInput, Context, Output> {
  /** Tasks whose models can do it, the best first. */
  readonly tasks: readonly ImageTaskName[];
  /**
   * Decodes the images, and lays each out as the input of a run.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` for an option that the model does not have, and the errors of `ImageDecoder.decode`
   * with the place of the image.
   */
  prepare(
    model: ImageModel,
    input: Input,
    tools: ImageTools,
    waiter: ImageWaiter,
  ): Promise<PreparedImages<Context>>;
  /** The content of the response. `results` are those of the runs, in their order. */
  answer(
    model: ImageModel,
    results: readonly TaskResult[],
    context: Context,
    tools: ImageTools,
    waiter: ImageWaiter,
  ): Output | Promise<Output>;
}
