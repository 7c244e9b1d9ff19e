/** @module Masks as responses have them. */

import type { Images, Mask } from '../../../native/index.ts';
import { invalidArgument } from '../../errors.ts';
import { type Bitmap, writePng } from './png.ts';

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

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels of all PNG files of a response, which take about two seconds as masks: 85 of the largest images, or 7,000 of 640 × 480. */
const MAX_PIXELS = 2 ** 31;
/** Bytes of all PNG files of a response. */
const MAX_BYTES = 64 * 2 ** 20;
/** Numbers of all run lengths or polygons of a response. */
const MAX_NUMBERS = 4_000_000;

/** Writes the masks and overlays of one response, which together have a limit. */
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

  /**
   * A picture with its masks as a PNG file.
   *
   * @param drawn Is called when the file can be written.
   * @throws {ServeError} `INVALID_ARGUMENT` beyond the limit.
   */
  writeOverlay(size: Size, drawn: () => Promise<Bitmap>): Promise<Uint8Array> {
    return this.#file(size, drawn, LESS_OVERLAY);
  }

  async #png(mask: Mask): Promise<string> {
    const { width, height } = mask;
    const bitmap = async () => {
      return { data: await this.#images.bitmap(mask), width, height, channels: 1 } as const;
    };
    return base64(await this.#file(mask, bitmap, OTHER_FORMAT));
  }

  async #file(
    { width, height }: Size,
    bitmap: () => Promise<Bitmap>,
    advice: Advice,
  ): Promise<Uint8Array> {
    this.#pixels += width * height;
    if (this.#pixels > MAX_PIXELS) throw tooMuch(`${MAX_PIXELS} pixels`, advice);
    const file = await writePng(bitmap);
    this.#bytes += file.byteLength;
    if (this.#bytes > MAX_BYTES) throw tooMuch(`${MAX_BYTES} bytes`, advice);
    return file;
  }

  #addNumbers(count: number): void {
    this.#numbers += count;
    if (this.#numbers > MAX_NUMBERS) throw tooMuch(`${MAX_NUMBERS} numbers`, FEWER_MASKS);
  }
}

export const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

/** What to do about too large a response. */
interface Advice {
  readonly param: string;
  readonly text: string;
}

const FEWER = 'send fewer or smaller images';
const FEWER_MASKS: Advice = { param: 'format', text: `set a higher threshold, or ${FEWER}` };
const OTHER_FORMAT: Advice = {
  param: 'format',
  text: `ask for "format": "rle", ${FEWER_MASKS.text}`,
};
const LESS_OVERLAY: Advice = { param: 'overlay', text: `ask for no overlay, or ${FEWER}` };

const tooMuch = (limit: string, { param, text }: Advice) =>
  invalidArgument(
    `The masks and overlays of this response have more than ${limit} in all; ${text}.`,
    param,
  );
