/** @module Services that run models: each has routes of its own, and those of the Open Inference Protocol V2. */

import type { RouteBuilder, ServiceDefinition } from '../http/service-definition.ts';
import { v2Routes } from './v2.ts';

/** A row of the table of services that run models. */
export interface ModelService extends ServiceDefinition {
  /** Its routes without those of the protocol, which the gateway has once for all services. */
  ownRoutes(builder: RouteBuilder): void;
}

/** Adds the routes of the protocol to a service. */
export const modelService = (definition: Omit<ModelService, 'routes'>): ModelService => ({
  ...definition,
  routes(builder) {
    definition.ownRoutes(builder);
    v2Routes(builder);
  },
});
