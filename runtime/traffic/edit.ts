/** @module Changes of routes by clients. */

import { isDeepStrictEqual } from 'node:util';
import {
  type Author,
  type CatalogContext,
  changeOnce,
  checkReady,
  checkRevision,
  type Expected,
  recordEvent,
  touchModel,
} from '../catalog/index.ts';
import { invalidArgument } from '../errors.ts';
import { type TrafficRoute, versionsOf } from '../routing/route.ts';
import type { Sql } from '../store/store.ts';
import { hasOthers, isActive } from './canary.ts';
import { describeRoute, type RouteRecord } from './route-record.ts';
import {
  beginExperiment,
  readRoute,
  type StoredRoute,
  type StoredRoutes,
  writeRoute,
} from './stored-routes.ts';

/** What changes of routes need. */
export interface EditContext extends Pick<CatalogContext, 'store' | 'repository'> {
  readonly routes: StoredRoutes;
}

/**
 * Replaces the route of a model. A canary starts, unless the same plan is running or paused: then it goes on, from the
 * beginning of its step if the weights have changed. Other versions or weights also begin a new experiment.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `STALE_REVISION`; `CONFLICT` for a version that is not ready;
 * `INVALID_ARGUMENT` for a canary that nothing can be compared with
 */
export function putRoute(
  context: EditContext,
  model: string,
  given: TrafficRoute,
  author: Author,
  expected: Expected,
  now: Date,
): Promise<RouteRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    refuseEmpty(given);
    const { revision } = await touchModel(context, sql, model, author.who);
    const before = await readRoute(sql, model);
    checkRouteRevision(expected, before, model);
    const route = await withBaseline(sql, model, given);
    for (const version of versionsOf(route)) await checkReady(context, sql, model, version);
    const goesOn =
      before?.canary !== undefined &&
      isActive(before.canary) &&
      isDeepStrictEqual(before.route.canary, route.canary);
    const isSplitKept =
      before !== undefined && isDeepStrictEqual(before.route.weights, route.weights);
    const startsCanary = route.canary !== undefined && !goesOn;
    if (!startsCanary && isDeepStrictEqual(before?.route, route)) {
      return describeRoute(context, sql, model);
    }
    await writeRoute(sql, model, route, revision);
    if (!isSplitKept || startsCanary) await beginExperiment(sql, model, revision);
    if (goesOn && !isSplitKept) await restartStep(sql, model, revision, now);
    else if (!goesOn) await sql.query('delete from canaries where model = $1', [model]);
    if (startsCanary) await startCanary(sql, model, revision, now);
    await recordEvent(sql, {
      model,
      who: author.who,
      what: 'set_route',
      before: before?.route,
      after: route,
    });
    return describeRoute(context, sql, model);
  });
}

/**
 * Deletes the route of a model, with the statistics of its experiment.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`, `STALE_REVISION`
 */
export function deleteRoute(
  context: EditContext,
  model: string,
  author: Author,
  expected: Expected,
): Promise<RouteRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    const { revision } = await touchModel(context, sql, model, author.who);
    const before = await readRoute(sql, model);
    checkRouteRevision(expected, before, model);
    if (before === undefined) return describeRoute(context, sql, model);
    await sql.query('delete from canaries where model = $1', [model]);
    await sql.query('delete from routes where model = $1', [model]);
    await beginExperiment(sql, model, revision);
    await recordEvent(sql, {
      model,
      who: author.who,
      what: 'delete_route',
      before: before.route,
      after: undefined,
    });
    return describeRoute(context, sql, model);
  });
}

/** The revision of a route that is not stored is 0, and a client may have read that. @throws {ServeError} */
export function checkRouteRevision(
  expected: Expected,
  stored: StoredRoute | undefined,
  model: string,
): void {
  const absent = Array.isArray(expected) ? 0 : undefined;
  checkRevision(expected, stored?.revision ?? absent, `route of model '${model}'`);
}

async function startCanary(sql: Sql, model: string, period: number, now: Date): Promise<void> {
  await sql.query(
    `insert into canaries (model, state, step, period, since) values ($1, 'running', 0, $2, $3)`,
    [model, period, now],
  );
}

/** The statistics of the step begin anew, because other versions are compared. */
async function restartStep(sql: Sql, model: string, period: number, now: Date): Promise<void> {
  await sql.query('update canaries set period = $2, since = $3, look_at = 0 where model = $1', [
    model,
    period,
    now,
  ]);
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function refuseEmpty({ weights, shadow, canary }: TrafficRoute): void {
  if (Object.keys(weights).length > 0 || shadow !== undefined || canary !== undefined) return;
  throw invalidArgument(
    'The route is empty: give it weights, a shadow or a canary, or delete it with DELETE.',
  );
}

/**
 * The route with weights for the versions that its canary is compared with. Without any weights that is the version that
 * `stable` names.
 *
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
async function withBaseline(sql: Sql, model: string, route: TrafficRoute): Promise<TrafficRoute> {
  const candidate = route.canary?.version;
  if (candidate === undefined || hasOthers(route.weights, candidate)) return route;
  const [stable] = await sql.query<{ version: string }>(
    `select version from model_labels where model = $1 and label = 'stable' and version <> $2`,
    [model, candidate],
  );
  const isOpen = Object.keys(route.weights).length === 0;
  if (stable !== undefined && isOpen) return { ...route, weights: { [stable.version]: 1 } };
  throw invalidArgument(
    `The canary '${candidate}' needs a version to be compared with: give another one a weight, or leave the weights out and give it the label 'stable'.`,
  );
}
