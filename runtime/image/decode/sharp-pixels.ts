/**
 * Decodes images with sharp, on the threads of the host's pool. It only decodes: what it makes smaller is not within the limits
 * that the results keep of Pillow's.
 *
 * @module
 */

import type { Sharp, SharpOptions } from 'sharp';
import type { Pixels } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import { damagedImage, invalidImage } from './image-errors.ts';
import type { ImageHeader } from './image-header.ts';
import type { Size } from './reduced-size.ts';

export type SharpModule = typeof import('sharp').default;

/** The decoders of the formats that are served. All others are blocked. */
const LOADERS = [
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadHeifBuffer',
  'VipsForeignLoadNsgifBuffer',
  'VipsForeignLoadTiffBuffer',
];

/** Loads sharp, and blocks what is not served. */
export async function loadSharp(): Promise<SharpModule> {
  const { default: sharp } = await import('sharp');
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: LOADERS });
  sharp.cache(false);
  // Images are decoded beside each other, so threads for each would only take turns.
  sharp.concurrency(1);
  return sharp;
}

/** A colour whose red, green and blue are the same. */
const GREY = /^#(..)\1\1$/i;
/** Formats of which a damaged file has no pixels at all. */
const ALL_OR_NOTHING: ReadonlySet<string> = new Set(['webp', 'avif']);
/** From this orientation of EXIF on, width and height are exchanged. */
const FIRST_TURNED = 5;

/** What is decoded, and how. */
export interface Decoding {
  readonly file: Uint8Array;
  readonly header: ImageHeader;
  readonly maxPixels: number;
  /** The size in which it is decoded; undefined means its own. */
  readonly reduced?: Size | undefined;
  /** As in `DecodeOptions`. */
  readonly background: string;
  readonly tolerant: boolean;
}

/** The size of an image after its orientation. @throws {ServeError} `INVALID_IMAGE` */
export async function orientedSize(
  sharp: SharpModule,
  file: Uint8Array,
  { width, height }: Size,
): Promise<Size> {
  const { orientation = 1 } = await ofInput(sharp(file).metadata(), false);
  return orientation < FIRST_TURNED ? { width, height } : { width: height, height: width };
}

/** Pixels with memory of their own. @throws {ServeError} `INVALID_IMAGE` */
export async function decodePixels(sharp: SharpModule, decoding: Decoding): Promise<Pixels> {
  const { file, header, maxPixels, reduced, background, tolerant } = decoding;
  const options: SharpOptions = {
    autoOrient: true,
    failOn: tolerant ? 'none' : 'warning',
    limitInputPixels: maxPixels,
    pages: 1,
    sequentialRead: true,
  };
  const image = sharp(header.firstFrame?.() ?? file, options);
  const isFinal = tolerant || ALL_OR_NOTHING.has(header.format);
  if (header.isCmyk && (await ofInput(image.metadata(), isFinal)).icc === undefined) {
    return withoutProfile(sharp, image, isFinal);
  }
  // Profiles are of numbers of 8 bits: sharp would convert 16 bits to a larger space than sRGB. Grey images have one channel,
  // and would be laid over the red of a colour alone.
  if (header.bits > 8 || !GREY.test(background)) image.pipelineColourspace('srgb');
  if (reduced !== undefined) image.resize({ ...reduced, fit: 'fill', kernel: 'lanczos3' });
  return pixelsOf(image.flatten({ background }).toColourspace('srgb'), isFinal);
}

/**
 * Converts CMYK as Pillow does where no profile says what the inks look like: (255 − ink) × (255 − black) / 255. That is laying
 * the inverted inks over black, with the inverted black as alpha.
 */
async function withoutProfile(sharp: SharpModule, image: Sharp, isFinal: boolean): Promise<Pixels> {
  const inks = image.pipelineColourspace('cmyk').toColourspace('cmyk').negate().raw();
  const { data, info } = await ofInput(inks.toBuffer({ resolveWithObject: true }), isFinal);
  const { width, height } = info;
  const raw = { width, height, channels: 4 } as const;
  const pixels = await pixelsOf(sharp(data, { raw }).flatten({ background: '#000000' }), isFinal);
  freeMemory(data);
  return pixels;
}

async function pixelsOf(image: Sharp, isFinal: boolean): Promise<Pixels> {
  const decoding = image.raw().toBuffer({ resolveWithObject: true });
  const { data, info } = await ofInput(decoding, isFinal);
  const { width, height, channels } = info;
  if (channels !== 1 && channels !== 3) throw invalidImage(`has ${channels} channels`);
  return { data, width, height, channels };
}

/** Frees memory that nothing else uses, instead of leaving it to the garbage collector. */
export function freeMemory({ buffer, byteLength }: Uint8Array): void {
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isWhole && !buffer.detached) buffer.transfer(0);
}

/** What the libraries say of images that lack their end. */
const CUT_OFF =
  /premature|truncat|unexpected end|end of (data|file|image|stream)|out of order read|read past/i;
const NO_MEMORY = /vips_tracked: out of memory|could not allocate enough memory/i;

/**
 * What the decoder makes of the bytes. An error with which it rejects is one of the image, because the arguments of all steps
 * are constants; those of wrong arguments are thrown by the step, and not here.
 *
 * @param isFinal Whether `tolerant` would not help, or is set already.
 */
async function ofInput<Result>(result: Promise<Result>, isFinal: boolean): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw asImageError(error, isFinal);
  }
}

function asImageError(error: unknown, isFinal: boolean): unknown {
  // The library's own errors have no class; a TypeError would be a fault of the program.
  if (!(error instanceof Error) || error.constructor !== Error) return error;
  if (NO_MEMORY.test(error.message)) {
    return new ServeError('OVERLOADED', 'There is no memory to decode the image; retry later.', {
      cause: error,
    });
  }
  if (/pixel limit/i.test(error.message)) {
    const message = 'The image has more pixels than its header says, too many to decode.';
    return new ServeError('IMAGE_TOO_LARGE', message, { cause: error });
  }
  const fact = CUT_OFF.test(error.message) ? 'ends before its last pixels' : 'is damaged';
  return isFinal ? invalidImage(fact, error) : damagedImage(fact, error);
}
