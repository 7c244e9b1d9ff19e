/** @module The routes that manage the models: registry, traffic, outcomes and audit log. */

import type { RouteBuilder } from '../http/service-definition.ts';
import { eventRoutes } from './events.ts';
import { experimentRoutes } from './experiments.ts';
import { feedbackRoutes } from './feedback.ts';
import { labelRoutes } from './labels.ts';
import { modelRoutes } from './models.ts';
import { registerRoute } from './register.ts';
import { routeRoutes } from './route.ts';
import { adminTools } from './tools.ts';
import { versionRoutes } from './versions.ts';

export { type AdminTools, adminTools } from './tools.ts';

/** Adds the routes below `/admin`, and `/feedback`. @param builder That of a service with `needsStore`. */
export function adminRoutes(builder: RouteBuilder): void {
  const tools = adminTools(builder);
  modelRoutes(tools);
  registerRoute(tools);
  versionRoutes(tools);
  labelRoutes(tools);
  routeRoutes(tools);
  experimentRoutes(tools);
  feedbackRoutes(tools);
  eventRoutes(tools);
}
