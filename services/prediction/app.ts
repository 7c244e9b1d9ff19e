/** @module The prediction service's routes. It does not listen, so tests call `app.request()`. */

import { OpenAPIHono } from '@hono/zod-openapi';
import type { RequestHandler, Runtime } from '../../runtime/index.ts';
import { controlRoutes } from '../http/control.ts';
import { docsRoutes } from '../http/docs.ts';
import { createEdge } from '../http/edge.ts';
import { healthRoutes } from '../http/health.ts';
import { metricsRoute } from '../http/metrics.ts';
import { describeControlRoutes } from '../http/openapi.ts';
import { predictRoute } from './predict.ts';
import { predictOperation } from './schema.ts';

/** What a service gives to its host. */
export interface ServiceApp {
  /** Every route, through Hono. */
  readonly fetch: OpenAPIHono['fetch'];
  /** The same for tests, which need no port. */
  readonly request: OpenAPIHono['request'];
  /** The infer routes once more by their path, for a host that can match paths itself. */
  readonly posts: Readonly<Record<string, RequestHandler>>;
}

export function predictionApp(runtime: Runtime): ServiceApp {
  const app = new OpenAPIHono();
  const infer = createEdge(runtime);
  const posts = { '/predict': infer(predictRoute(runtime)) };
  // Not an OpenAPI route, whose validation is middleware: the description is registered beside it.
  app.post('/predict', (c) => posts['/predict'](c.req.raw));
  app.openAPIRegistry.registerPath(predictOperation);

  const control = controlRoutes(app, runtime);
  healthRoutes(control, runtime);
  metricsRoute(control, runtime);
  describeControlRoutes(app);
  docsRoutes(control, app, {
    title: 'Prediction service',
    version: '1.0',
    description: 'Answers of tabular models: classifiers and regressors.',
  });
  return { fetch: app.fetch, request: app.request, posts };
}
