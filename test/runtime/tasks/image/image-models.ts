/** @module Models of images that no file has. */

import type { ImageHead, ImageModel } from '../../../../runtime/image/index.ts';

export const semantic: ImageHead = {
  kind: 'masks',
  head: 'semantic',
  outputs: ['map'],
  native: { kind: 'semantic' },
};

/** A model of boxes or masks that takes an image as it is. */
export const modelOf = (
  head: ImageHead,
  labels: readonly string[],
  defaults: ImageModel['defaults'] = {},
): ImageModel => ({
  task: head.kind === 'masks' ? 'image-segmentation' : 'object-detection',
  input: {
    ...{ name: 'image', mask: undefined, maskType: undefined, hasRows: true, type: 'float32' },
    form: { layout: 'float32-chw', channels: 3, fill: [0, 0, 0] },
    placement: (width, height) => ({
      ...{ width, height, canvasWidth: width, canvasHeight: height },
      ...{ filter: 'bilinear', left: 0, top: 0 },
    }),
  },
  ...{ head, labels, problemType: undefined, defaults, decodes: false },
});
