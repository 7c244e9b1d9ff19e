/** @module The services that run models. The gateway has the routes of all of them, and jobs may ask each. */

import { inference } from './inference/index.ts';
import type { ModelService } from './inference/model-service.ts';
import { nlp } from './nlp/index.ts';
import { prediction } from './prediction/index.ts';
import { vision } from './vision/index.ts';

export const modelServices: readonly ModelService[] = [prediction, nlp, vision, inference];
