/**
 * The Open Inference Protocol V2 as a piece that any service mounts: its control routes on the app, its
 * infer routes also for a host that matches paths itself.
 *
 * @module
 */

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RequestHandler, Runtime } from '../../runtime/index.ts';
import type { createEdge } from '../http/edge.ts';
import { readiness } from '../http/error-response.ts';
import type { AddRoute } from '../http/managed-routes.ts';
import { generateRoute } from './generate.ts';
import { inferRoute } from './infer-route.ts';
import { modelConfig, modelMetadata, serverMetadata } from './metadata.ts';
import { describeV2 } from './openapi.ts';
import { modelPaths, targetOf } from './paths.ts';
import { repositoryRoutes } from './repository.ts';
import { everyStatistics, modelStatistics } from './statistics.ts';

/** Where the routes go. */
export interface V2Parts {
  readonly app: OpenAPIHono;
  readonly add: AddRoute;
  readonly infer: ReturnType<typeof createEdge>;
  readonly runtime: Runtime;
}

/** Returns the infer routes by their path. */
export function v2Routes(parts: V2Parts): Record<string, RequestHandler> {
  const { add, app, infer, runtime } = parts;
  serverRoutes(parts);
  modelRoutes(parts);
  repositoryRoutes(add, runtime);
  const fastRoutes: Record<string, RequestHandler> = {};
  for (const path of modelPaths('/infer')) fastRoutes[path] = infer(inferRoute(runtime, path));
  for (const path of modelPaths('/generate')) {
    fastRoutes[path] = infer(generateRoute(runtime, path, false));
    fastRoutes[`${path}_stream`] = infer(generateRoute(runtime, `${path}_stream`, true));
  }
  describeV2(app);
  for (const [path, handler] of Object.entries(fastRoutes))
    app.post(path, (c) => handler(c.req.raw));
  return fastRoutes;
}

function serverRoutes({ add, runtime }: V2Parts): void {
  const metadata = serverMetadata();
  for (const path of ['/v2', '/v2/']) add(path, (c) => c.json(metadata));
  add('/v2/health/live', (c) => c.json({ live: true }));
  add('/v2/health/ready', (c) => {
    const ready = runtime.ready('v2');
    return c.json({ ready }, readiness(ready));
  });
  add('/v2/models', (c) => c.json({ models: runtime.models().map(({ name }) => name) }));
  // Before the routes of models, one of which would be called `stats`.
  add('/v2/models/stats', (c) => c.json({ model_stats: everyStatistics(runtime) }));
}

function modelRoutes({ add, runtime }: V2Parts): void {
  const each = (action: string, answer: (url: string) => readonly [body: object, status: 200]) => {
    for (const path of modelPaths(action)) {
      add(path, (c) => c.json(...answer(c.req.url)));
    }
  };
  const found = (url: string) => {
    const { model: name, version } = targetOf(url);
    const model = runtime.model(name);
    return { model, version };
  };
  each('', (url) => {
    const { model, version } = found(url);
    return [modelMetadata(model, model.resolve(version)), 200];
  });
  each('/config', (url) => {
    const { model, version } = found(url);
    return [modelConfig(model, model.resolve(version)), 200];
  });
  each('/ready', (url) => {
    const { model, version } = found(url);
    const ready = model.isReady(version);
    return [{ name: model.name, ready }, readiness(ready)];
  });
  each('/stats', (url) => {
    const { model, version } = found(url);
    const versions = version === undefined ? model.loaded() : [model.resolve(version)];
    return [{ model_stats: versions.map((each) => modelStatistics(each)) }, 200];
  });
}
