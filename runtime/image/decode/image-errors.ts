/** @module The refusals of images. */

import { ServeError } from '../../errors.ts';

/** Bytes of one image as it is sent, at most. */
export const MAX_IMAGE_BYTES = 20 * 1024 * 1024;

/** Pixels of each side of an image, at most. */
export const MAX_SIDE = 16_384;

/** The formats that are decoded, as sentences name them. */
export const SERVED_FORMATS = 'JPEG, PNG, WebP, AVIF, GIF or TIFF';

/** @param fact What is wrong, as the end of a sentence that begins with "The image". */
export function invalidImage(fact: string, cause?: unknown): ServeError {
  const message = `The image ${fact}; send a file that is whole and undamaged.`;
  return new ServeError('INVALID_IMAGE', message, { cause });
}

/**
 * An image that lacks its end, or whose data is damaged: what could be decoded of it is shown by `tolerant`. One without a whole
 * header is an `invalidImage`.
 */
export function damagedImage(fact: string, cause?: unknown): ServeError {
  const message = `The image ${fact}; send a whole and undamaged file, or write tolerant=true to use what can be decoded of it.`;
  return new ServeError('INVALID_IMAGE', message, { cause });
}

export function unsupportedFormat(found: string): ServeError {
  return new ServeError(
    'UNSUPPORTED_MEDIA_TYPE',
    `The image is ${found}, which is not decoded here; send ${SERVED_FORMATS}.`,
  );
}

/** @param place Which image it is, as the beginning of a sentence: `images[2]`. */
export function tooManyImageBytes(place = 'The image'): ServeError {
  return new ServeError(
    'IMAGE_TOO_LARGE',
    `${place} has more than ${MAX_IMAGE_BYTES} bytes; send it smaller or compressed more.`,
  );
}

/** @throws {ServeError} `IMAGE_TOO_LARGE` for a size beyond the limits, `INVALID_IMAGE` for an image without pixels */
export function checkSize(width: number, height: number, maxPixels: number): void {
  if (width < 1 || height < 1) throw invalidImage('has no pixels');
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw tooLarge(width, height, `a side may have ${MAX_SIDE} pixels`);
  }
  if (width * height > maxPixels) {
    throw tooLarge(width, height, `an image may have ${maxPixels} pixels`);
  }
}

const tooLarge = (width: number, height: number, limit: string) =>
  new ServeError(
    'IMAGE_TOO_LARGE',
    `The image has ${width} × ${height} pixels, and ${limit} at most; send it smaller.`,
  );
