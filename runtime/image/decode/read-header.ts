/** @module Reads the header of an image, in any format that is served, and checks it. */

import { readAvifHeader } from './avif-header.ts';
import { readGifHeader } from './gif-header.ts';
import { MAX_IMAGE_BYTES, tooManyImageBytes } from './image-errors.ts';
import type { HeaderOptions, ImageHeader } from './image-header.ts';
import { readJpegHeader } from './jpeg-header.ts';
import { readPngHeader } from './png-header.ts';
import { type ImageFormat, sniff } from './sniff.ts';
import { readTiffHeader } from './tiff-header.ts';
import { readWebpHeader } from './webp-header.ts';

type Read = (file: Uint8Array, options: HeaderOptions) => ImageHeader | Promise<ImageHeader>;

const READERS: Readonly<Record<ImageFormat, Read>> = {
  jpeg: readJpegHeader,
  png: readPngHeader,
  webp: readWebpHeader,
  avif: readAvifHeader,
  gif: readGifHeader,
  tiff: readTiffHeader,
};

/**
 * Reads what is known of an image without decoding it. The bytes decide about the format.
 *
 * @throws {ServeError} `UNSUPPORTED_MEDIA_TYPE`, `IMAGE_TOO_LARGE`, `INVALID_IMAGE`
 */
export async function readHeader(file: Uint8Array, options: HeaderOptions): Promise<ImageHeader> {
  if (file.length > MAX_IMAGE_BYTES) throw tooManyImageBytes();
  return READERS[sniff(file)](file, options);
}

/** Reads the headers of a thread one after the other, because the short turns of several would add up to long ones. */
export class HeaderReader {
  #last: Promise<unknown> = Promise.resolve();

  /** As `readHeader`. */
  read(file: Uint8Array, options: HeaderOptions): Promise<ImageHeader> {
    const header = this.#last.then(() => readHeader(file, options));
    this.#last = header.catch(() => {});
    return header;
  }
}
