/** @module The interface of what turns the files of images into pixels. */

import type { CancelSignal, Pixels, ResampleFilter } from '../../../native/index.ts';

/** What pixels will be resized to. */
export interface Target {
  readonly width: number;
  readonly height: number;
  readonly filter: ResampleFilter;
}

export interface DecodeOptions {
  /** The colour `#rrggbb` over which transparent images are laid. */
  readonly background: string;
  /** Whether an image with a damaged end is decoded as far as it goes. */
  readonly tolerant: boolean;
  /**
   * The size to which the pixels will be resized, for an image of the given size after its orientation. A JPEG that has at least
   * 12.5 times its sides is decoded in 2.5 times its sides, rounded up. Undefined asks for all pixels.
   */
  readonly target?: ((width: number, height: number) => Target) | undefined;
  /** Aborts when nobody waits for the pixels any more. */
  readonly signal?: CancelSignal | undefined;
  /** Milliseconds until the deadline of the request; undefined if it has none. */
  readonly timeoutMs?: number | undefined;
}

export interface DecodedImage {
  /** With 1 channel if the image is grey, else 3. */
  readonly pixels: Pixels;
  /** The size of the whole image after its EXIF orientation; `pixels` may be smaller. */
  readonly width: number;
  readonly height: number;
  /** Gives the memory of the pixels back to the budget; idempotent. */
  release(): void;
}

/** Decodes images on other threads, a few at a time, within a budget of memory for all requests of the process. */
export interface ImageDecoder {
  /**
   * @throws {ServeError} `INVALID_IMAGE` for damage, `IMAGE_TOO_LARGE` for too many pixels or bytes, `UNSUPPORTED_MEDIA_TYPE` for
   * formats that are not served, `OVERLOADED` if too many images wait, `DEADLINE_EXCEEDED`; the reason of an aborted signal
   */
  decode(file: Uint8Array, options: DecodeOptions): Promise<DecodedImage>;
  /** Images that wait or are being decoded. */
  readonly inFlight: number;
}

/** A decoder whose library can be loaded before the first image comes. */
export interface LazyImageDecoder extends ImageDecoder {
  /** Loads the library, which takes some ten milliseconds of this thread, if it is not loaded. @throws {Error} if it is not installed */
  prepare(): Promise<void>;
  /** What the decoders of all threads of the process use at the moment. */
  readonly usage: DecodeUsage;
}

export interface DecodeUsage {
  /** Images that are being decoded. */
  readonly decoding: number;
  /** Bytes that are taken for images. */
  readonly bytes: number;
}
