/** @module The services that run models. The gateway has the routes of all of them, and jobs may ask each. */

import type { ServiceDefinition } from './http/service-definition.ts';
import { inference } from './inference/index.ts';
import { prediction } from './prediction/index.ts';

export const modelServices: readonly ServiceDefinition[] = [prediction, inference];
