/** @module Places one image after the other, while nothing else keeps the event loop going. */
import { openImages } from '../../native/index.ts';
import { engineOptions } from './support.ts';

const images = openImages(engineOptions());
const pixels = { data: new Uint8Array(300), width: 10, height: 10, channels: 3 } as const;
const placement = {
  width: 5,
  height: 5,
  filter: 'bilinear',
  canvasWidth: 5,
  canvasHeight: 5,
  left: 0,
  top: 0,
} as const;
let canvases = 0;
for (; canvases < 300; canvases++) {
  await images.place(pixels, placement, { layout: 'uint8-hwc', channels: 3, fill: [0, 0, 0] });
}
console.log(`${canvases} canvases`);
