/** @module The public interface of decoding images. */

export { DecodeBudget } from './decode-budget.ts';
export type {
  DecodedImage,
  DecodeOptions,
  DecodeUsage,
  ImageDecoder,
  LazyImageDecoder,
} from './image-decoder.ts';
export { MAX_IMAGE_BYTES, tooManyImageBytes, unsupportedFormat } from './image-errors.ts';
export { type DecoderOptions, openImageDecoder } from './open-image-decoder.ts';
export { sniff } from './sniff.ts';
