/** @module The routes that manage the models: registry and audit log. */

import type { RouteBuilder } from '../http/service-definition.ts';
import { eventRoutes } from './events.ts';
import { labelRoutes } from './labels.ts';
import { modelRoutes } from './models.ts';
import { registerRoute } from './register.ts';
import { adminTools } from './tools.ts';
import { versionRoutes } from './versions.ts';

export { type AdminTools, adminTools } from './tools.ts';

/** Adds the routes below `/admin`. @param builder That of a service with `needsStore`. */
export function adminRoutes(builder: RouteBuilder): void {
  const tools = adminTools(builder);
  modelRoutes(tools);
  registerRoute(tools);
  versionRoutes(tools);
  labelRoutes(tools);
  eventRoutes(tools);
}
