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
  /** Whether decoding holds the whole image in a form of its own, beside the pixels that it makes. */
  readonly isHeld: boolean;
}

/** What is looked at beside the size. */
export interface HeaderOptions {
  /** The most pixels of an image. */
  readonly maxPixels: number;
  /** Whether a file may lack its end. */
  readonly tolerant: boolean;
}
