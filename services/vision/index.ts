/** @module The vision service: what images show, where, and vectors of them. */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Runtime } from '../../runtime/index.ts';
import { findExample } from '../http/example-request.ts';
import type { ExampleRequest } from '../http/service-definition.ts';
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
  panels: ['classify', 'detect', 'segment', 'embed-image'],
  example: photoRequest,
  ownRoutes(builder) {
    classifyRoute(builder);
    detectRoute(builder);
    segmentRoute(builder);
    embedImageRoute(builder);
  },
});

const PHOTO = /\.(?:jpe?g|png|webp)$/i;

/** A request with a photo that lies in the folder of a classifier. */
function photoRequest(runtime: Runtime): ExampleRequest | undefined {
  return findExample(
    runtime,
    (model) => model.hasTask(['image-classification']),
    ({ model }) => {
      const folder = path.join(runtime.config.modelPath, model);
      const photo = filesIn(folder).find((name) => PHOTO.test(name));
      if (photo === undefined) return undefined;
      return { path: '/classify', file: path.relative('', path.join(folder, photo)) };
    },
  );
}

/** The names of the files of a folder, of which there are none if a model is not in the repository. */
function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}
