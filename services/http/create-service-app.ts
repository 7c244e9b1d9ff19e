/** @module Creates the app of a service from its own routes and those that every service has. */

import { OpenAPIHono } from '@hono/zod-openapi';
import type { RequestHandler, Runtime } from '../../runtime/index.ts';
import { landingRoute, playgroundRoutes, type RunningService } from '../playground/index.ts';
import { docsRoutes } from './docs.ts';
import { createEdge } from './edge.ts';
import type { ErrorBody } from './error-response.ts';
import { healthRoutes } from './health.ts';
import { managedRoutes } from './managed-routes.ts';
import { metricsRoute } from './metrics.ts';
import { describeControlRoutes } from './openapi.ts';
import type { ServiceDefinition } from './service-definition.ts';

/** The handlers of a service. The app does not listen, so tests call `request()`. */
export interface ServiceApp {
  /** Handles every route, through Hono. */
  readonly fetch: OpenAPIHono['fetch'];
  /** Handles a request without a port, for tests. */
  readonly request: OpenAPIHono['request'];
  /** The handlers of the infer routes by path, for hosts that match paths themselves. */
  readonly fastRoutes: Readonly<Record<string, RequestHandler>>;
}

/** @param running The services of the process, with the ports that are open. */
export function createServiceApp(
  runtime: Runtime,
  { name, title, description, panels, routes }: ServiceDefinition,
  running: () => readonly RunningService[] = () => [],
): ServiceApp {
  const app = new OpenAPIHono();
  const edge = createEdge(runtime, name);
  const unmatchedBodies = new Map<string, ErrorBody>();
  const managed = managedRoutes(app, runtime, name, unmatchedBodies);
  const fastRoutes: Record<string, RequestHandler> = {};
  routes({
    runtime,
    managed,
    infer(route) {
      const handler = edge(route);
      fastRoutes[route.path] = handler;
      app.post(route.path, (c) => handler(c.req.raw));
    },
    unmatched: (prefix, body) => unmatchedBodies.set(prefix, body),
    describe: (operation) => app.openAPIRegistry.registerPath(operation),
  });
  landingRoute(managed, runtime, { name, title, description }, running);
  playgroundRoutes(managed, runtime, { title, panels });
  healthRoutes(managed, runtime);
  metricsRoute(managed, runtime);
  describeControlRoutes(app);
  docsRoutes(managed, app, { title, version: '1.0', description });
  return { fetch: app.fetch, request: app.request, fastRoutes };
}
