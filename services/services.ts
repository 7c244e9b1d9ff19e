/** @module The table of services. A new service is a folder and a row of this table (.github/decisions/0022). */

import type { ServiceDefinition } from './http/service-definition.ts';
import { inference } from './inference/index.ts';
import { prediction } from './prediction/index.ts';

export const services: readonly ServiceDefinition[] = [prediction, inference];
