/** @module Boxes as responses have them. */

/** A part of an image, in pixels with two decimals. */
export interface Box {
  /** The left edge. */
  readonly x: number;
  /** The upper edge. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The box between the edges, which are rounded themselves, so that it ends within the image.
 *
 * @param corners Left, top, right, bottom.
 */
export function boxBetween(corners: Float32Array): Box {
  const [left, top, right, bottom] = Array.from(corners, round) as [number, number, number, number];
  return { x: left, y: top, width: round(right - left), height: round(bottom - top) };
}

const round = (pixels: number): number => Math.round(pixels * 100) / 100;
