/** @module What the catalog needs to know about routes, which `runtime/traffic` stores. */

import type { TrafficRoute } from '../routing/route.ts';
import type { Sql } from '../store/store.ts';

/** The part of a route that names a version. */
export type RouteUse = 'weight' | 'canary' | 'shadow';

/** A route as it is in effect: with the present share of its canary applied to the weights. */
export interface EffectiveRoute {
  readonly model: string;
  readonly route: TrafficRoute;
  readonly source: 'file' | 'database';
}

/** The routes of all models. Each method runs in the transaction of its caller. */
export interface TrafficRoutes {
  /** The routes that are in effect, of the database and of `ROUTING_FILE`. */
  effective(sql: Sql): Promise<readonly EffectiveRoute[]>;
  /** The parts of the model's route, stored or in `ROUTING_FILE`, that name the version; a weight of 0 does not count. */
  uses(sql: Sql, model: string, version: string): Promise<readonly RouteUse[]>;
  /**
   * Gives the version all requests: the weights become `{[version]: 1}`, and a canary that runs ends. Creates the route if
   * there is none. Its new revision is `revision`.
   *
   * @returns The weights before; undefined if there was no route.
   * @throws {ServeError} `CONFLICT` if the route is in `ROUTING_FILE`, which takes precedence
   */
  promote(
    sql: Sql,
    model: string,
    version: string,
    revision: number,
  ): Promise<Readonly<Record<string, number>> | undefined>;
}
