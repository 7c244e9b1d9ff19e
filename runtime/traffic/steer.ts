/** @module Changes of a canary's state: by its operators, and by the driver when it has passed or failed. */

import {
  type Author,
  changeOnce,
  type Expected,
  moveStable,
  recordEvent,
  touchModel,
} from '../catalog/index.ts';
import { ServeError } from '../errors.ts';
import type { CanaryPlan, TrafficRoute } from '../routing/route.ts';
import type { Sql } from '../store/store.ts';
import { type CanaryState, isActive } from './canary.ts';
import { checkRouteRevision, type EditContext } from './edit.ts';
import { describeRoute, type RouteRecord } from './route-record.ts';
import {
  endCanary,
  readRoute,
  type StoredCanary,
  type StoredRoute,
  writeRoute,
} from './stored-routes.ts';

export type CanaryAction = 'pause' | 'resume' | 'promote' | 'abort';

/** The states in which an action is possible. */
const POSSIBLE: Readonly<Record<CanaryAction, readonly CanaryState[]>> = {
  pause: ['running'],
  resume: ['paused'],
  promote: ['running', 'paused'],
  abort: ['running', 'paused'],
};

/** A stored route with its canary. */
export type CanaryRoute = StoredRoute & {
  readonly canary: StoredCanary;
  readonly route: TrafficRoute & { readonly canary: CanaryPlan };
};

/**
 * Pauses a canary, resumes it with a new beginning of its step, promotes its version, or rolls it back.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`, `STALE_REVISION`; `NOT_FOUND` if the route has no canary; `CONFLICT` if its state
 * does not allow the action, or the route in `ROUTING_FILE` takes precedence
 */
export function steerCanary(
  context: EditContext,
  model: string,
  action: CanaryAction,
  author: Author,
  expected: Expected,
  now: Date,
): Promise<RouteRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    const { revision } = await touchModel(context, sql, model, author.who);
    const stored = await readRoute(sql, model);
    checkRouteRevision(expected, stored, model);
    const route = canaryOf(stored, model);
    if (!POSSIBLE[action].includes(route.canary.state)) {
      const state = route.canary.state === 'rolled_back' ? 'rolled back' : route.canary.state;
      const message = `The canary of model '${model}' is ${state}, so that ${action} is not possible.`;
      throw new ServeError('CONFLICT', message);
    }
    if (action === 'promote') await promoteCanary(context, sql, route, author.who);
    else if (action === 'abort')
      await rollBack(sql, route, revision, 'It was aborted.', author.who);
    else await setState(sql, route, action === 'pause' ? 'paused' : 'running', author.who, now);
    return describeRoute(context, sql, model);
  });
}

/** @throws {ServeError} `NOT_FOUND` */
function canaryOf(stored: StoredRoute | undefined, model: string): CanaryRoute {
  if (isCanaryRoute(stored)) return stored;
  throw new ServeError('NOT_FOUND', `The route of model '${model}' has no canary.`);
}

export const isCanaryRoute = (stored: StoredRoute | undefined): stored is CanaryRoute =>
  stored?.canary !== undefined && stored.route.canary !== undefined;

/** Gives the version of a canary all requests, and the label `stable`, in the transaction of the caller. */
export async function promoteCanary(
  context: EditContext,
  sql: Sql,
  { model, route }: CanaryRoute,
  who: string,
): Promise<void> {
  await moveStable(context, sql, model, () => route.canary.version, 'promote_canary', { who });
}

/** Takes all requests from the version of a canary, in the transaction of the caller, which has locked the model. */
export async function rollBack(
  sql: Sql,
  { model, route, canary }: CanaryRoute,
  revision: number,
  reason: string,
  who: string,
): Promise<void> {
  const { version } = route.canary;
  const weights = { ...route.weights, [version]: 0 };
  await writeRoute(sql, model, { ...route, weights }, revision);
  await endCanary(sql, model, 'rolled_back', reason, revision);
  await recordEvent(sql, {
    model,
    who,
    what: 'roll_back_canary',
    before: { version, state: canary.state, step: canary.step },
    after: { version, state: 'rolled_back', step: canary.step, reason },
  });
}

async function setState(
  sql: Sql,
  { model, route, canary }: CanaryRoute,
  state: 'running' | 'paused',
  who: string,
  now: Date,
): Promise<void> {
  const since = state === 'running' ? now : canary.since;
  await sql.query('update canaries set state = $2, since = $3 where model = $1', [
    model,
    state,
    since,
  ]);
  const { version } = route.canary;
  await recordEvent(sql, {
    model,
    who,
    what: state === 'running' ? 'resume_canary' : 'pause_canary',
    before: { version, state: canary.state, step: canary.step },
    after: { version, state, step: canary.step },
  });
}

/**
 * Locks a model and reads its canary again, for a change that was decided on what was read before. Undefined if the canary
 * is no longer the same, or no longer runs.
 */
export async function lockCanary(
  context: EditContext,
  sql: Sql,
  decided: CanaryRoute,
  who: string,
): Promise<{ readonly route: CanaryRoute; readonly revision: number } | undefined> {
  const { revision } = await touchModel(context, sql, decided.model, who);
  const route = await readRoute(sql, decided.model);
  if (!isCanaryRoute(route) || !isActive(route.canary)) return undefined;
  const { state, period } = route.canary;
  return state === 'running' && period === decided.canary.period ? { route, revision } : undefined;
}
