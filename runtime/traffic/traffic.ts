/** @module How traffic reaches the versions of models, and what becomes of it: routes, canaries, experiments, outcomes. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Author, CatalogContext, Expected } from '../catalog/index.ts';
import { findModel } from '../catalog/index.ts';
import type { Config } from '../config/index.ts';
import type { Log } from '../log.ts';
import type { Observer } from '../routing/observer.ts';
import type { TrafficRoute } from '../routing/route.ts';
import { CanaryDriver } from './driver.ts';
import { deleteRoute, type EditContext, putRoute } from './edit.ts';
import { deleteOldRequests } from './maintenance.ts';
import { type Joined, joinOutcome, type Outcome, unknownRequest } from './outcomes.ts';
import { Recorder } from './recorder.ts';
import { type ExperimentReport, reportExperiment } from './report.ts';
import { describeRoute, type RouteRecord } from './route-record.ts';
import { type CanaryAction, steerCanary } from './steer.ts';
import type { StoredRoutes } from './stored-routes.ts';

const FLUSH_MS = 1000;
const MAINTENANCE_MS = 60_000;

export interface TrafficParts extends Pick<CatalogContext, 'store' | 'repository'> {
  readonly routes: StoredRoutes;
  readonly config: Pick<Config, 'feedbackTtlSecs' | 'shadowKeepInputs'>;
  readonly log: Log;
  /** The time of day, by which the steps of canaries last. Default: that of the system. */
  readonly now?: () => Date;
}

/** The traffic of one HTTP thread. What it knows is in the database, which all threads and processes share. */
export class Traffic {
  readonly #context: EditContext;
  readonly #config: TrafficParts['config'];
  readonly #now: () => Date;
  readonly #recorder: Recorder;
  readonly #driver: CanaryDriver;
  readonly #log: Log;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #maintained = Number.NEGATIVE_INFINITY;
  #working: Promise<void> | undefined;
  #isFailing = false;

  constructor({ store, repository, routes, config, log, now = () => new Date() }: TrafficParts) {
    this.#context = { store, repository, routes };
    this.#config = config;
    this.#now = now;
    this.#log = log;
    this.#recorder = new Recorder(store, log);
    this.#driver = new CanaryDriver(this.#context, now, log);
  }

  /** Counts the requests of this thread. */
  get observer(): Observer {
    return this.#recorder.counters;
  }

  /** The route of a model. @throws {ServeError} `MODEL_NOT_FOUND` */
  route(model: string): Promise<RouteRecord> {
    return describeRoute(this.#context, this.#context.store, model);
  }

  /** See `putRoute` in edit.ts. @throws {ServeError} */
  putRoute(
    model: string,
    route: TrafficRoute,
    author: Author,
    expected: Expected,
  ): Promise<RouteRecord> {
    return putRoute(this.#context, model, route, author, expected, this.#now());
  }

  /** See `deleteRoute` in edit.ts. @throws {ServeError} */
  deleteRoute(model: string, author: Author, expected: Expected): Promise<RouteRecord> {
    return deleteRoute(this.#context, model, author, expected);
  }

  /** See `steerCanary` in steer.ts. @throws {ServeError} */
  steer(
    model: string,
    action: CanaryAction,
    author: Author,
    expected: Expected,
  ): Promise<RouteRecord> {
    return steerCanary(this.#context, model, action, author, expected, this.#now());
  }

  /** The report about the experiment that began with the present route. @throws {ServeError} `MODEL_NOT_FOUND` */
  async experiments(model: string): Promise<ExperimentReport> {
    await this.#recorder.flush();
    await findModel(this.#context, this.#context.store, model);
    return reportExperiment(this.#context.store, model);
  }

  /**
   * Counts the outcome of a request.
   *
   * @throws {ServeError} `NOT_FOUND` if no such request is recorded; `INVALID_ARGUMENT` if the truth does not fit the
   * prediction
   */
  async report(outcome: Outcome): Promise<Joined> {
    const { store } = this.#context;
    const joined = await joinOutcome(store, outcome);
    if (joined !== undefined) return joined;
    // The request may have been served less than a second ago, by this thread or by another one.
    await this.#recorder.flush();
    const late = await joinOutcome(store, outcome);
    if (late !== undefined) return late;
    await sleep(FLUSH_MS);
    const last = await joinOutcome(store, outcome);
    if (last === undefined) throw unknownRequest();
    return last;
  }

  /**
   * Begins to write statistics each second.
   *
   * @param leads Whether this thread also drives canaries and deletes what is old, as one of each process does.
   */
  start(leads: boolean): void {
    const write = setInterval(() => void this.#recorder.tick(), FLUSH_MS);
    this.#timers.push(write);
    if (leads) this.#timers.push(setInterval(() => void this.lead(), FLUSH_MS));
    for (const timer of this.#timers) timer.unref?.();
  }

  /** Drives canaries and deletes what is old, once. Never rejects. */
  async lead(): Promise<void> {
    this.#working ??= this.#lead()
      .then(() => this.#note(undefined), this.#note)
      .finally(() => {
        this.#working = undefined;
      });
    await this.#working;
  }

  /** Logs only the first of several failures in a row, because a database may be away for hours. */
  readonly #note = (failure: unknown): void => {
    const isFirst = failure !== undefined && !this.#isFailing;
    if (isFirst) this.#log.warn({ err: failure }, 'canaries not driven');
    this.#isFailing = failure !== undefined;
  };

  async #lead(): Promise<void> {
    await this.#driver.tick();
    const now = this.#now().getTime();
    if (now - this.#maintained < MAINTENANCE_MS) return;
    this.#maintained = now;
    const { feedbackTtlSecs, shadowKeepInputs } = this.#config;
    await deleteOldRequests(this.#context.store, feedbackTtlSecs, shadowKeepInputs);
  }

  /** Writes what was counted, and ends. The store stays open. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#working;
    await this.#recorder.flush();
    await this.#driver.close();
  }
}
