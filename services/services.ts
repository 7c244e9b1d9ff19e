/** @module The table of services. A new service is a folder and a row of this table (.github/decisions/0022). */

import { gateway } from './gateway/index.ts';
import type { ServiceDefinition } from './http/service-definition.ts';
import { modelServices } from './model-services.ts';

export const services: readonly ServiceDefinition[] = [gateway, ...modelServices];
