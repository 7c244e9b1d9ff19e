/** @module The prediction service: its own route, and `/v2` for the same models. */

import { OpenAPIHono } from '@hono/zod-openapi';
import type { Runtime } from '../../runtime/index.ts';
import { docsRoutes } from '../http/docs.ts';
import { createEdge } from '../http/edge.ts';
import { healthRoutes } from '../http/health.ts';
import { managedRoutes } from '../http/managed-routes.ts';
import { metricsRoute } from '../http/metrics.ts';
import { describeControlRoutes } from '../http/openapi.ts';
import type { ServiceApp } from '../http/service-app.ts';
import { v2Routes } from '../inference/v2.ts';
import { predictRoute } from './predict.ts';
import { predictOperation } from './schema.ts';

export function predictionApp(runtime: Runtime): ServiceApp {
  const app = new OpenAPIHono();
  const infer = createEdge(runtime);
  const predict = infer(predictRoute(runtime));
  // Not an OpenAPI route, whose validation is middleware: the description is registered beside it.
  app.post('/predict', (c) => predict(c.req.raw));
  app.openAPIRegistry.registerPath(predictOperation);

  const control = managedRoutes(app, runtime);
  healthRoutes(control, runtime);
  metricsRoute(control, runtime);
  const v2 = v2Routes({ app, add: control, infer, runtime });
  describeControlRoutes(app);
  docsRoutes(control, app, {
    title: 'Prediction service',
    version: '1.0',
    description: 'Answers of tabular models: classifiers and regressors.',
  });
  return { fetch: app.fetch, request: app.request, fastRoutes: { '/predict': predict, ...v2 } };
}
