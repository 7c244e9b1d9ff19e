/** @module Decodes an image of a request as its model and its options ask for it. */

import type { DecodedImage, DecodeOptions } from '../../image/decode/image-decoder.ts';
import type { ImageModel } from '../../image/image-model.ts';
import type { ImageInput, ImageTools, ImageWaiter } from './operation.ts';

const WHITE = '#ffffff';

/**
 * @param index Of the image among those of the request.
 * @param target As in `DecodeOptions`.
 * @throws {ServeError} the errors of `ImageDecoder.decode`
 */
export function decodeFor(
  { defaults }: ImageModel,
  { images, background = defaults.background ?? WHITE, tolerant = false }: ImageInput,
  index: number,
  { decoder }: ImageTools,
  waiter: ImageWaiter,
  target?: DecodeOptions['target'],
): Promise<DecodedImage> {
  return decoder.decode(images[index]!, {
    ...{ target, background, tolerant, signal: waiter.signal },
    timeoutMs: waiter.timeLeft(),
  });
}
