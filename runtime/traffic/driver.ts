/** @module Moves canaries on: one process at a time looks at their statistics each second. */

import { nextNumber, recordEvent } from '../catalog/index.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { SHADOW } from '../routing/observer.ts';
import type { CanaryPlan } from '../routing/route.ts';
import type { NamedLock, Sql } from '../store/store.ts';
import {
  type ArmStatistics,
  add,
  type PeriodStatistics,
  readStatistics,
} from './arm-statistics.ts';
import { shareAt } from './canary.ts';
import type { EditContext } from './edit.ts';
import { brokenGuard, type Evidence } from './guards.ts';
import { levelOf, nextLook } from './statistics/looks.ts';
import { type CanaryRoute, isCanaryRoute, lockCanary, promoteCanary, rollBack } from './steer.ts';
import { readCanaries, type StoredCanary } from './stored-routes.ts';

/** The author of its changes in the audit log. */
const WHO = 'canary';
const LOCK = 'canaries';

/** What the driver does with a canary. */
export type Decision =
  | { readonly kind: 'wait' }
  /** The guards have looked and none is broken, but the step is not over. */
  | { readonly kind: 'look'; readonly requests: number }
  | { readonly kind: 'advance' }
  | { readonly kind: 'roll_back'; readonly reason: string };

/**
 * Decides on a step. The guards look when the step is over, and before that each time that the canary has had a quarter
 * more requests than at the last look.
 *
 * @param elapsedMs Time since the step began.
 */
export function decide(
  plan: CanaryPlan,
  { looks, lookAt }: Pick<StoredCanary, 'looks' | 'lookAt'>,
  evidence: Evidence,
  elapsedMs: number,
): Decision {
  const requests = evidence.candidate?.requests ?? 0;
  const isOver = elapsedMs >= plan.bake_seconds * 1000 && requests >= plan.min_requests;
  if (!isOver && requests < Math.max(lookAt, nextLook(0))) return { kind: 'wait' };
  const reason = brokenGuard(plan.guards, evidence, levelOf(looks + 1));
  if (reason !== undefined) return { kind: 'roll_back', reason };
  return isOver ? { kind: 'advance' } : { kind: 'look', requests };
}

/** What the guards compare at the present step, out of the statistics of all periods, the latest first. */
export function evidenceOf(
  statistics: readonly PeriodStatistics[],
  period: number,
  version: string,
): Evidence {
  const inStep = statistics.filter((each) => each.period === period);
  // A step that gives the canary all requests is compared with the last one that did not.
  const last = statistics.find(({ arm, requests }) => arm === 'stable' && requests > 0)?.period;
  const baselines: readonly ArmStatistics[] = statistics.filter(
    (each) => each.period === last && each.arm === 'stable',
  );
  return {
    candidate: inStep.find(({ arm }) => arm === 'canary'),
    baseline: baselines.length === 0 ? undefined : baselines.reduce(add),
    shadow: inStep.find((each) => each.arm === SHADOW && each.version === version),
  };
}

export class CanaryDriver {
  readonly #context: EditContext;
  readonly #now: () => Date;
  readonly #log: Log;
  #lock: NamedLock | undefined;

  /** @param now The time of day, by which the steps last. */
  constructor(context: EditContext, now: () => Date, log: Log) {
    this.#context = context;
    this.#now = now;
    this.#log = log;
  }

  /**
   * Moves every running canary on, as far as it can be at this moment, if no other process does.
   *
   * @throws {ServeError} as the store does
   */
  async tick(): Promise<void> {
    if (!(await this.#drives())) return;
    for (const route of await readCanaries(this.#context.store)) {
      // While the route in ROUTING_FILE is in effect, the canary gets no requests.
      if (this.#context.routes.inFile(route.model) !== undefined) continue;
      if (isCanaryRoute(route)) await this.#move(route).catch(this.#noteFailure);
    }
  }

  async close(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
  }

  async #drives(): Promise<boolean> {
    if (this.#lock?.lost.aborted) this.#lock = undefined;
    this.#lock ??= await this.#context.store.tryLock(LOCK);
    return this.#lock !== undefined;
  }

  /** One canary that cannot be moved must not hold up the others. */
  readonly #noteFailure = (error: unknown): void => {
    if (error instanceof ServeError && error.code === 'STORE_UNAVAILABLE') throw error;
    this.#log.error({ err: error }, 'canary not moved');
  };

  async #move(route: CanaryRoute): Promise<void> {
    const { store } = this.#context;
    const { canary, model } = route;
    const plan = route.route.canary;
    const statistics = await readStatistics(store, model);
    const evidence = evidenceOf(statistics, canary.period, plan.version);
    const elapsedMs = this.#now().getTime() - canary.since.getTime();
    const decision = decide(plan, canary, evidence, elapsedMs);
    if (decision.kind === 'wait') return;
    if (decision.kind === 'look') {
      await this.#noteLook(route, decision.requests);
      return;
    }
    const done = await store.transaction(async (sql) => {
      // An operator may have paused or ended it meanwhile.
      const locked = await lockCanary(this.#context, sql, route, WHO);
      if (locked === undefined) return undefined;
      return this.#carryOut(sql, decision, locked.route, locked.revision);
    });
    if (done !== undefined) this.#log.info({ model, version: plan.version, ...done }, 'canary');
  }

  async #carryOut(
    sql: Sql,
    decision: Exclude<Decision, { kind: 'wait' | 'look' }>,
    route: CanaryRoute,
    revision: number,
  ): Promise<object> {
    const plan = route.route.canary;
    if (decision.kind === 'roll_back') {
      await rollBack(sql, route, revision, decision.reason, WHO);
      return { state: 'rolled_back', reason: decision.reason };
    }
    const step = route.canary.step + 1;
    if (step >= plan.steps.length) {
      await promoteCanary(this.#context, sql, route, WHO);
      return { state: 'promoted' };
    }
    await this.#nextStep(sql, route, step);
    return { step, share: shareAt(plan, step) };
  }

  async #nextStep(sql: Sql, { model, route, canary }: CanaryRoute, step: number): Promise<void> {
    await sql.query(
      `update canaries set step = $2, period = $3, since = $4, looks = looks + 1, look_at = 0
       where model = $1`,
      [model, step, await nextNumber(sql), this.#now()],
    );
    const { version } = route.canary;
    await recordEvent(sql, {
      model,
      who: WHO,
      what: 'canary_step',
      before: { version, step: canary.step, share: shareAt(route.canary, canary.step) },
      after: { version, step, share: shareAt(route.canary, step) },
    });
  }

  async #noteLook({ model, canary }: CanaryRoute, requests: number): Promise<void> {
    await this.#context.store.query(
      `update canaries set looks = looks + 1, look_at = $3 where model = $1 and period = $2`,
      [model, canary.period, nextLook(requests)],
    );
  }
}
