/** @module The inference service: the Open Inference Protocol V2 for every model of the repository. */

import { OpenAPIHono } from '@hono/zod-openapi';
import type { Runtime } from '../../runtime/index.ts';
import { docsRoutes } from '../http/docs.ts';
import { createEdge } from '../http/edge.ts';
import { healthRoutes } from '../http/health.ts';
import { managedRoutes } from '../http/managed-routes.ts';
import { metricsRoute } from '../http/metrics.ts';
import { describeControlRoutes } from '../http/openapi.ts';
import type { ServiceApp } from '../http/service-app.ts';
import { v2Routes } from './v2.ts';

export function inferenceApp(runtime: Runtime): ServiceApp {
  const app = new OpenAPIHono();
  const infer = createEdge(runtime);
  const add = managedRoutes(app, runtime);
  const fastRoutes = v2Routes({ app, add, infer, runtime });
  healthRoutes(add, runtime);
  metricsRoute(add, runtime);
  describeControlRoutes(app);
  docsRoutes(add, app, {
    title: 'Inference service',
    version: '1.0',
    description: 'The Open Inference Protocol V2 for every model of the repository.',
  });
  return { fetch: app.fetch, request: app.request, fastRoutes };
}
