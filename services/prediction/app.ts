/** @module The prediction service's routes. It does not listen, so tests call `app.request()`. */

import { OpenAPIHono } from '@hono/zod-openapi';
import type { Runtime } from '../../runtime/index.ts';
import { controlRoutes } from '../http/control.ts';
import { docsRoutes } from '../http/docs.ts';
import { createEdge } from '../http/edge.ts';
import { healthRoutes } from '../http/health.ts';
import { metricsRoute } from '../http/metrics.ts';
import { describeControlRoutes } from '../http/openapi.ts';
import { predictRoute } from './predict.ts';
import { predictOperation } from './schema.ts';

export function predictionApp(runtime: Runtime): OpenAPIHono {
  const app = new OpenAPIHono();
  const infer = createEdge(runtime);
  // Not an OpenAPI route, whose validation is middleware: the description is registered beside it.
  app.post('/predict', infer(predictRoute(runtime)));
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
  return app;
}
