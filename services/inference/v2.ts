/** @module The routes of the Open Inference Protocol V2, which any service can add to its own. */

import { readiness } from '../http/error-response.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { generateRoute } from './generate.ts';
import type { Target } from './infer.ts';
import { inferRoute } from './infer-route.ts';
import { modelConfig, modelMetadata, serverMetadata } from './metadata.ts';
import { describeV2 } from './openapi.ts';
import { modelPaths, targetOf } from './paths.ts';
import { repositoryRoutes } from './repository.ts';
import { everyStatistics, statisticsOf } from './statistics.ts';

export function v2Routes(builder: RouteBuilder): void {
  const { infer, managed, runtime } = builder;
  serverRoutes(builder);
  modelRoutes(builder);
  repositoryRoutes(managed, runtime);
  for (const path of modelPaths('/infer')) infer(inferRoute(runtime, path));
  for (const path of modelPaths('/generate')) {
    infer(generateRoute(runtime, path, false));
    infer(generateRoute(runtime, `${path}_stream`, true));
  }
  describeV2(builder);
}

function serverRoutes({ managed, runtime }: RouteBuilder): void {
  const metadata = serverMetadata();
  for (const path of ['/v2', '/v2/']) managed(path, (c) => c.json(metadata));
  managed('/v2/health/live', (c) => c.json({ live: true }));
  managed('/v2/health/ready', (c) => {
    const ready = runtime.readyForV2();
    return c.json({ ready }, readiness(ready));
  });
  managed('/v2/models', (c) => c.json({ models: runtime.models().map(({ name }) => name) }));
  // This route comes before those of models, which would take `stats` for a model's name.
  managed('/v2/models/stats', (c) => c.json({ model_stats: everyStatistics(runtime) }));
}

function modelRoutes({ managed, runtime }: RouteBuilder): void {
  const { routes } = runtime;
  const add = (
    action: string,
    respond: (target: Target) => readonly [object, status: 200 | 503],
  ) => {
    for (const path of modelPaths(action)) {
      managed(path, (c) => c.json(...respond(targetOf(c.req.url))));
    }
  };
  add('', (target) => [modelMetadata(routes.model(target), routes.describe(target)), 200]);
  add('/config', (target) => [modelConfig(routes.model(target), routes.describe(target)), 200]);
  add('/ready', (target) => {
    const ready = routes.isReady(target);
    return [{ name: target.model, ready }, readiness(ready)];
  });
  add('/stats', (target) => [{ model_stats: statisticsOf(runtime, target) }, 200]);
}
