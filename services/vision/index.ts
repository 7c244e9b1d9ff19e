/** @module The vision service: what images show, where, and vectors of them. */

import { modelService } from '../inference/model-service.ts';
import { classifyRoute } from './classify.ts';
import { detectRoute } from './detect.ts';
import { embedImageRoute } from './embed-image.ts';
import { segmentRoute } from './segment.ts';

export const vision = modelService({
  name: 'vision',
  defaultPort: 8003,
  title: 'Vision service',
  description:
    'Classes, objects, masks and vectors of images, with models of Hugging Face, torchvision and Ultralytics.',
  panels: [],
  ownRoutes(builder) {
    classifyRoute(builder);
    detectRoute(builder);
    segmentRoute(builder);
    embedImageRoute(builder);
  },
});
