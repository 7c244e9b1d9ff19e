/** @module Masks as responses have them. */

import type { Images, Mask } from '../../../native/index.ts';
import { invalidArgument } from '../../errors.ts';
import { writePng } from './png.ts';

/** How masks are written. */
export const MASK_FORMATS = ['png', 'rle', 'polygon'] as const;

export type MaskFormat = (typeof MASK_FORMATS)[number];

/** COCO's uncompressed run-length encoding: lengths of runs of 0 and 1 in turn, beginning with 0, down the columns. */
export interface RunLengths {
  /** Height and width of the image. */
  readonly size: readonly [number, number];
  /** Not a list, because there may be millions. `segmentsJson` writes them as one. */
  readonly counts: Uint32Array;
}

/** A PNG of 0 and 255 in the size of the image as base64; run lengths; or x and y of the corners of each part in turn. */
export type MaskContent = string | RunLengths | readonly (readonly number[])[];

/** Pixels of all PNG masks of a response, which take about two seconds: 85 masks of the largest images, or 7,000 of 640 × 480. */
const MAX_PIXELS = 2 ** 31;
/** Bytes of all PNG masks of a response. */
const MAX_BYTES = 64 * 2 ** 20;
/** Numbers of all run lengths or polygons of a response. */
const MAX_NUMBERS = 4_000_000;

/** Writes the masks of one response, which together have a limit. */
export class MaskWriter {
  readonly #images: Images;
  readonly #format: MaskFormat;
  #pixels = 0;
  #bytes = 0;
  #numbers = 0;

  constructor(images: Images, format: MaskFormat) {
    this.#images = images;
    this.#format = format;
  }

  /** @throws {ServeError} `INVALID_ARGUMENT` beyond the limit. */
  async write(mask: Mask): Promise<MaskContent> {
    if (this.#format === 'png') return await this.#png(mask);
    if (this.#format === 'rle') {
      this.#addNumbers(mask.counts.length);
      return { size: [mask.height, mask.width], counts: mask.counts };
    }
    const polygons = await this.#images.polygons(mask);
    this.#addNumbers(polygons.reduce((sum, { length }) => sum + length, 0));
    return polygons;
  }

  async #png(mask: Mask): Promise<string> {
    const { width, height } = mask;
    this.#pixels += width * height;
    if (this.#pixels > MAX_PIXELS) throw tooMuch(`${MAX_PIXELS} pixels`, FORMAT);
    const file = await writePng(width, height, 1, () => this.#images.bitmap(mask));
    this.#bytes += file.byteLength;
    if (this.#bytes > MAX_BYTES) throw tooMuch(`${MAX_BYTES} bytes`, FORMAT);
    return base64(file);
  }

  #addNumbers(count: number): void {
    this.#numbers += count;
    if (this.#numbers > MAX_NUMBERS) throw tooMuch(`${MAX_NUMBERS} numbers`, '');
  }
}

export const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

const FORMAT = 'ask for "format": "rle", ';

const tooMuch = (limit: string, other: string) =>
  invalidArgument(
    `The masks of this response have more than ${limit} in all; ${other}set a higher threshold, or send fewer or smaller images.`,
    'format',
  );
