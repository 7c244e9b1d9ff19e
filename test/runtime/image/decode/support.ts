/** @module What the tests of decoding share: the images of `test/fixtures/images`, and decoders. */
import { readFileSync } from 'node:fs';
import type { DecodeOptions } from '../../../../runtime/image/decode/image-decoder.ts';
import { type DecoderOptions, openImageDecoder } from '../../../../runtime/image/decode/index.ts';

const FOLDER = new URL('../../../fixtures/images/', import.meta.url);

/** An image as Pillow reads it. */
export interface Expected {
  readonly width: number;
  readonly height: number;
  /** 8-bit RGB in base64. */
  readonly rgb: string;
}

export const expectedImages = (): Readonly<Record<string, Expected>> =>
  JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8'));

/** The file of an image, in memory of its own. */
export const imageFile = (name: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(readFileSync(new URL(`files/${name}`, FOLDER)));

export const OPTIONS: DecodeOptions = { background: '#ffffff', tolerant: false };

export const openDecoder = (options: Partial<DecoderOptions> = {}) =>
  openImageDecoder({
    decodes: 2,
    bytes: 256 * 1024 * 1024,
    waiting: 100,
    maxPixels: 25_000_000,
    ...options,
  });
