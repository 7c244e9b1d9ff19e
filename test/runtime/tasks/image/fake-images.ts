/** @module Functions on images of which each test says what they do. */

import type { Images } from '../../../../native/index.ts';

const unexpected = (name: string) => () => {
  throw new Error(`nothing should call ${name}`);
};

export const fakeImages = (own: Partial<Images>): Images => ({
  place: unexpected('place'),
  boxes: unexpected('boxes'),
  segments: unexpected('segments'),
  bitmap: unexpected('bitmap'),
  polygons: unexpected('polygons'),
  overlay: unexpected('overlay'),
  decodeBase64: unexpected('decodeBase64'),
  ...own,
});
