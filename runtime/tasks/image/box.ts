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
 * The box between the edges, which are rounded themselves, so that it ends within the image. Undefined if it has no area then.
 *
 * @param corners Left, top, right, bottom.
 */
export function boxBetween(corners: Float32Array): Box | undefined {
  const [left, top, right, bottom] = Array.from(corners, round) as [number, number, number, number];
  const [width, height] = [round(right - left), round(bottom - top)];
  return width > 0 && height > 0 ? { x: left, y: top, width, height } : undefined;
}

const round = (pixels: number): number => Math.round(pixels * 100) / 100;
