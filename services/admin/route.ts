/** @module `/admin/models/{name}/route`: how the requests to a model are divided among its versions. */

import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import {
  type CanaryAction,
  checkStorable,
  invalidArgument,
  type RouteRecord,
  trafficRouteSchema,
} from '../../runtime/index.ts';
import { answer } from './answer.ts';
import { readChange } from './change.ts';
import { describeChange, describeRead } from './openapi.ts';
import type { AdminTools } from './tools.ts';

const PATH = '/admin/models/:name/route';
const ACTIONS: readonly CanaryAction[] = ['pause', 'resume', 'promote', 'abort'];

const emptyBody = z.strictObject({});

const { canary } = trafficRouteSchema.shape;
const routeSchema = trafficRouteSchema
  .extend({
    canary: canary.unwrap().extend({
      state: z.enum(['running', 'paused', 'promoted', 'rolled_back']),
      step: z.int().openapi({ description: 'Index of the step in steps' }),
      reason: z.string().nullable(),
    }),
    revision: z.int(),
    source: z.enum(['file', 'database', 'model.json']).openapi({
      description: 'ROUTING_FILE, the database, or the model itself',
    }),
  })
  .partial({ canary: true })
  .openapi('Route');

export function routeRoutes(tools: AdminTools): void {
  const { managed, change, runtime } = tools;
  const { traffic, followed } = tools.platform;
  const nameOf = (c: Context) => c.req.param('name')!;
  // What model.json says is only known where the model is served.
  const complete = (name: string, route: RouteRecord): RouteRecord =>
    route.source === 'model.json' ? { ...route, weights: runtime.routes.weightsOf(name) } : route;
  describe(tools);

  managed(PATH, async (c) => {
    const name = nameOf(c);
    return answer(c, complete(name, await traffic.route(name)));
  });

  managed(
    PATH,
    (c) =>
      change(c, trafficRouteSchema, async (route, author) => {
        checkStorable('The route', route);
        const record = await traffic.putRoute(nameOf(c), route, author, author.expected);
        await followed();
        return answer(c, record);
      }),
    'PUT',
  );

  managed(
    PATH,
    async (c) => {
      const name = nameOf(c);
      const author = readChange(runtime, c);
      const record = await traffic.deleteRoute(name, author, author.expected);
      await followed();
      return answer(c, complete(name, record));
    },
    'DELETE',
  );

  managed(
    `${PATH}/canary/:action`,
    (c) =>
      change(c, emptyBody, async (_body, author) => {
        const action = toAction(c.req.param('action')!);
        const record = await traffic.steer(nameOf(c), action, author, author.expected);
        await followed();
        return answer(c, record);
      }),
    'POST',
  );
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function toAction(given: string): CanaryAction {
  const action = ACTIONS.find((each) => each === given);
  if (action !== undefined) return action;
  throw invalidArgument(`The action of a canary must be one of ${ACTIONS.join(', ')}.`);
}

function describe(tools: AdminTools): void {
  const path = '/admin/models/{name}/route';
  describeRead(tools, path, 'How the requests to a model are divided', routeSchema);
  describeChange(tools, {
    ...{ method: 'put', path, body: trafficRouteSchema, answer: routeSchema },
    summary: 'Divide the requests; a canary starts, unless the same one is running or paused',
  });
  describeChange(tools, {
    ...{ method: 'delete', path, answer: routeSchema },
    summary: 'Delete the route with the statistics of its experiment',
  });
  describeChange(tools, {
    ...{ method: 'post', path: `${path}/canary/{action}`, answer: routeSchema },
    summary: 'Pause, resume, promote or abort the canary',
  });
}
