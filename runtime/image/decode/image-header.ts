/** @module What the header of an image says, without decoding. */

import type { ImageFormat } from './sniff.ts';

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As it is stored, before any orientation. */
  readonly width: number;
  readonly height: number;
  /** Bits of each channel, at most. */
  readonly bits: number;
  readonly isCmyk: boolean;
  /** Bytes for each pixel that decoding holds at most beside the pixels that it makes, as measured. */
  readonly heldBytes: number;
  /**
   * Makes a file of only the first frame or page, because decoders look at all. Undefined if the file has one, or more than are
   * looked at here.
   */
  readonly firstFrame?: (() => Uint8Array) | undefined;
}

/** What is looked at beside the size. */
export interface HeaderOptions {
  /** The most pixels of an image. */
  readonly maxPixels: number;
  /** Whether a file may lack its end. */
  readonly tolerant: boolean;
}
