/** @module What a request with images may hold. */

import { invalidArgument, type ServeError } from '../../../runtime/index.ts';

/** Images of a request. */
export const MAX_IMAGES = 32;

/** Bytes of a body. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Where an image stands in a request, for messages. */
export const placeOf = (index: number, isList: boolean): string =>
  isList ? `images[${index}]` : 'image';

export const tooManyImages = (): ServeError =>
  invalidArgument(`The request has more than ${MAX_IMAGES} images; send fewer at once.`);

/** @param place Where images were looked for. */
export const noImage = (place: string): ServeError =>
  invalidArgument(
    `${place} has no image; send one as the form field image, as a body with an image type, or as JSON {"image":"data:image/jpeg;base64,…"}.`,
  );

/** @param place Where the URL stands, such as `image`. */
export const isUrl = (place: string): ServeError =>
  invalidArgument(`${place} is a URL, and URLs are never fetched; send the image itself.`);

/** Whether a text begins as a URL from which an image could be fetched. */
export const looksLikeUrl = (text: string): boolean =>
  /^\s*(?:https?|ftp|file|s3|gs|blob):/i.test(text);
