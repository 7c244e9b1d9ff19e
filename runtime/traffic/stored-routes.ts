/** @module The routes of all models: those in the database, with their canaries, and those in `ROUTING_FILE`. */

import type { EffectiveRoute, RouteUse, TrafficRoutes } from '../catalog/index.ts';
import { ServeError } from '../errors.ts';
import type { TrafficRoute } from '../routing/route.ts';
import type { Sql } from '../store/store.ts';
import { type CanaryProgress, type CanaryState, inEffect, isActive } from './canary.ts';

/** The routes in `ROUTING_FILE` by model, at the time of the call. */
export type FileRoutes = () => Readonly<Record<string, TrafficRoute>>;

/** What is stored about the route of a model. */
export interface StoredRoute {
  readonly model: string;
  readonly revision: number;
  readonly route: TrafficRoute;
  /** The state of `route.canary`; undefined if the route has none. */
  readonly canary: StoredCanary | undefined;
  /** The period of statistics that is going on. */
  readonly period: number;
}

export interface StoredCanary extends CanaryProgress {
  readonly period: number;
  readonly since: Date;
  readonly looks: number;
  readonly lookAt: number;
}

interface Columns {
  readonly model: string;
  readonly revision: number;
  readonly route: TrafficRoute;
  readonly first_period: number;
  readonly state: CanaryState | null;
  readonly step: number;
  readonly reason: string | null;
  readonly period: number;
  readonly since: Date;
  readonly looks: number;
  readonly look_at: number;
}

const SELECT = `select r.model, r.revision, r.route, e.first_period,
    c.state, c.step, c.reason, c.period, c.since, c.looks, c.look_at
  from routes r join experiments e using (model) left join canaries c using (model)`;

/** The stored route of a model; undefined if it has none. */
export async function readRoute(sql: Sql, model: string): Promise<StoredRoute | undefined> {
  const [row] = await sql.query<Columns>(`${SELECT} where r.model = $1`, [model]);
  return row && toRoute(row);
}

/** The routes of all models. */
export async function readRoutes(sql: Sql): Promise<readonly StoredRoute[]> {
  return (await sql.query<Columns>(`${SELECT} order by r.model`)).map(toRoute);
}

/** The routes whose canary is running. */
export async function readCanaries(sql: Sql): Promise<readonly StoredRoute[]> {
  const rows = await sql.query<Columns>(`${SELECT} where c.state = 'running' order by r.model`);
  return rows.map(toRoute);
}

function toRoute(row: Columns): StoredRoute {
  const { model, revision, route, state, step, reason, period, since, looks, look_at } = row;
  const canary =
    state === null ? undefined : { state, step, reason, period, since, looks, lookAt: look_at };
  return { model, revision, route, canary, period: canary?.period ?? row.first_period };
}

/** Replaces the route of a model, in the transaction of the caller, which has locked the model. */
export async function writeRoute(
  sql: Sql,
  model: string,
  route: TrafficRoute,
  revision: number,
): Promise<void> {
  await sql.query(
    `insert into routes (model, revision, route) values ($1, $2, $3::jsonb)
     on conflict (model) do update
       set revision = excluded.revision, route = excluded.route, updated_at = now()`,
    [model, revision, JSON.stringify(route)],
  );
}

/** Ends a canary, in the transaction of the caller. */
export async function endCanary(
  sql: Sql,
  model: string,
  state: 'promoted' | 'rolled_back',
  reason: string | null,
  period: number,
): Promise<void> {
  await sql.query('update canaries set state = $2, reason = $3, period = $4 where model = $1', [
    model,
    state,
    reason,
    period,
  ]);
}

/**
 * Begins a new experiment, in the transaction of the caller: statistics of the one before are deleted.
 *
 * @param period A number that is higher than that of all periods before.
 */
export async function beginExperiment(sql: Sql, model: string, period: number): Promise<void> {
  await sql.query(
    `insert into experiments (model, first_period) values ($1, $2)
     on conflict (model) do update set first_period = excluded.first_period`,
    [model, period],
  );
  // The requests themselves, of which there may be millions, are deleted with age.
  for (const table of ['arms', 'arm_latencies', 'disagreements']) {
    await sql.query(`delete from ${table} where model = $1 and period < $2`, [model, period]);
  }
}

/** The routes that the catalog serves and asks about. */
export class StoredRoutes implements TrafficRoutes {
  readonly #file: FileRoutes;

  constructor(file: FileRoutes) {
    this.#file = file;
  }

  async effective(sql: Sql): Promise<readonly EffectiveRoute[]> {
    const file = this.#file();
    const stored = (await readRoutes(sql)).filter(({ model }) => !Object.hasOwn(file, model));
    const periods = await firstPeriods(sql, Object.keys(file));
    return [
      ...stored.map(({ model, route, canary, period }) => {
        const source = 'database' as const;
        return { model, route: { ...inEffect(route, canary), period }, source };
      }),
      ...Object.entries(file).map(([model, route]) => {
        const source = 'file' as const;
        const period = periods.get(model) ?? 0;
        return { model, route: { ...inEffect(route, undefined), period }, source };
      }),
    ];
  }

  async uses(sql: Sql, model: string, version: string): Promise<readonly RouteUse[]> {
    const stored = await readRoute(sql, model);
    const inFile = this.inFile(model);
    // The weights as they are stored: those that a canary has taken all requests from get them back if it fails.
    const routes = [stored && withoutEnded(stored), inFile].filter((route) => route !== undefined);
    return [...new Set(routes.flatMap((route) => usesOf(route, version)))];
  }

  async promote(
    sql: Sql,
    model: string,
    version: string,
    revision: number,
  ): Promise<Readonly<Record<string, number>> | undefined> {
    if (this.inFile(model) !== undefined) {
      throw new ServeError(
        'CONFLICT',
        `The route of model '${model}' is in ROUTING_FILE, which takes precedence; change it there.`,
      );
    }
    const stored = await readRoute(sql, model);
    await writeRoute(sql, model, { ...stored?.route, weights: { [version]: 1 } }, revision);
    if (stored === undefined) await beginExperiment(sql, model, revision);
    else if (stored.canary !== undefined && isActive(stored.canary)) {
      const passed = stored.route.canary?.version === version;
      const reason = passed ? null : `Version '${version}' was promoted.`;
      await endCanary(sql, model, passed ? 'promoted' : 'rolled_back', reason, revision);
    }
    return stored?.route.weights;
  }

  /** The route of a model in `ROUTING_FILE`. */
  inFile(model: string): TrafficRoute | undefined {
    const file = this.#file();
    return Object.hasOwn(file, model) ? file[model] : undefined;
  }
}

/** The periods in which the experiments of models began. */
async function firstPeriods(
  sql: Sql,
  models: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (models.length === 0) return new Map();
  const rows = await sql.query<{ model: string; first_period: number }>(
    `select model, first_period from experiments
     where model in (select jsonb_array_elements_text($1::jsonb))`,
    [JSON.stringify(models)],
  );
  return new Map(rows.map(({ model, first_period }) => [model, first_period]));
}

/** The route without a canary that has ended. */
function withoutEnded({ route, canary }: StoredRoute): TrafficRoute {
  const { canary: plan, ...rest } = route;
  return plan !== undefined && canary !== undefined && isActive(canary) ? route : rest;
}

function usesOf({ weights, canary, shadow }: TrafficRoute, version: string): RouteUse[] {
  const uses: RouteUse[] = [];
  if (Object.hasOwn(weights, version) && weights[version]! > 0) uses.push('weight');
  if (canary?.version === version) uses.push('canary');
  if (shadow?.version === version) uses.push('shadow');
  return uses;
}
