/** @module A route as clients see it. */

import { type CatalogContext, findModel } from '../catalog/index.ts';
import type { CanaryPlan, Shadow, Sticky } from '../routing/route.ts';
import type { Sql } from '../store/store.ts';
import type { CanaryProgress } from './canary.ts';
import { readRoute, type StoredRoutes } from './stored-routes.ts';

export interface RouteRecord {
  readonly weights: Readonly<Record<string, number>>;
  readonly sticky?: Sticky | undefined;
  readonly shadow?: Shadow | undefined;
  readonly canary?: (CanaryPlan & CanaryProgress) | undefined;
  /** That of the route in the database; 0 if there is none. */
  readonly revision: number;
  /** Where the route is from. */
  readonly source: 'file' | 'database' | 'model.json';
}

/** The route of a model that is in effect. @throws {ServeError} `MODEL_NOT_FOUND` */
export async function describeRoute(
  context: Pick<CatalogContext, 'repository'> & { readonly routes: StoredRoutes },
  sql: Sql,
  model: string,
): Promise<RouteRecord> {
  await findModel(context, sql, model);
  const stored = await readRoute(sql, model);
  const revision = stored?.revision ?? 0;
  const inFile = context.routes.inFile(model);
  if (inFile !== undefined) return { ...inFile, canary: undefined, revision, source: 'file' };
  if (stored === undefined) return { weights: {}, revision, source: 'model.json' };
  const { canary: plan, ...route } = stored.route;
  if (plan === undefined || stored.canary === undefined) {
    return { ...route, revision, source: 'database' };
  }
  const { state, step, reason } = stored.canary;
  return { ...route, canary: { ...plan, state, step, reason }, revision, source: 'database' };
}
