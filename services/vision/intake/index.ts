/** @module The public interface of reading requests with images. */

export { type DecodeBase64, imageOfText } from './base64-image.ts';
export { MAX_BODY_BYTES, MAX_IMAGES, placeOf } from './limits.ts';
export { type Texts, textsOf, type VisionBody, visionBodyReader } from './vision-body.ts';
