/** @module The public interface of reading requests with images. */

export { imageOfText } from './base64-image.ts';
export { MAX_BODY_BYTES, MAX_IMAGES } from './limits.ts';
export { readVisionBody, type VisionBody } from './vision-body.ts';
