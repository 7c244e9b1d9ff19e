/** @module The gateway: the routes of every service under one entry, and those of the platform. */

import { adminRoutes } from '../admin/index.ts';
import type { ServiceDefinition } from '../http/service-definition.ts';
import { v2Routes } from '../inference/v2.ts';
import { jobRoutes } from '../jobs/index.ts';
import { modelServices } from '../model-services.ts';

export const gateway: ServiceDefinition = {
  name: 'gateway',
  defaultPort: 8080,
  needsStore: true,
  title: 'Gateway',
  description: 'Every service under one entry, and the management of models.',
  panels: [...new Set(modelServices.flatMap(({ panels }) => panels))],
  routes(builder) {
    for (const service of modelServices) service.ownRoutes(builder);
    v2Routes(builder);
    adminRoutes(builder);
    jobRoutes(builder, modelServices);
  },
};
