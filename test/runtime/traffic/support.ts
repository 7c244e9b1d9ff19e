/** @module The traffic of models over a store in memory, whose time the test sets. */

import assert from 'node:assert/strict';
import type { CatalogEvent } from '../../../runtime/catalog/index.ts';
import { createLog } from '../../../runtime/log.ts';
import type { Observation, Observer } from '../../../runtime/routing/observer.ts';
import type { TrafficRoute } from '../../../runtime/routing/route.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { type RouteRecord, StoredRoutes, Traffic } from '../../../runtime/traffic/index.ts';

export const ANN = { who: 'ann', once: undefined };

/** The models that the folder MODEL_PATH of the test has. */
const MODELS: Readonly<Record<string, readonly string[]>> = {
  iris: ['v1', 'v2', 'v3'],
  other: ['v1', 'v2'],
};

export class TestTraffic implements AsyncDisposable {
  readonly store: Store;
  /** The routes in ROUTING_FILE. */
  file: Record<string, TrafficRoute> = {};
  nowMs = Date.UTC(2026, 0, 1);
  readonly routes = new StoredRoutes(() => this.file);
  readonly traffic: Traffic;
  #requests = 0;

  constructor(store: Store, settings = { feedbackTtlSecs: 3600, shadowKeepInputs: true }) {
    this.store = store;
    this.traffic = this.another(settings);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.traffic.close();
  }

  /** The traffic of another thread or process on the same database. */
  another(
    config = { feedbackTtlSecs: 3600, shadowKeepInputs: true },
    store: Store = this.store,
  ): Traffic {
    return new Traffic({
      ...{ store, routes: this.routes, config },
      repository: {
        names: () => Object.keys(MODELS),
        versions: (name) => MODELS[name],
        config: () => undefined,
      },
      log: createLog('silent'),
      now: () => new Date(this.nowMs),
    });
  }

  put(route: Partial<TrafficRoute>, model = 'iris'): Promise<RouteRecord> {
    return this.traffic.putRoute(model, { weights: {}, ...route }, ANN, undefined);
  }

  /** The route of a model that requests see. */
  async inEffect(model = 'iris'): Promise<TrafficRoute> {
    const found = (await this.routes.effective(this.store)).find((each) => each.model === model);
    assert.ok(found !== undefined, `no route of ${model}`);
    return found.route;
  }

  /** Lets an arm respond to requests, as the route in effect has it; returns their ids. */
  async serve(
    version: string,
    count: number,
    given: Partial<Observation> & { readonly failures?: number } = {},
    to: Observer = this.traffic.observer,
  ): Promise<readonly string[]> {
    const { failures = 0, ...rest } = given;
    const { canary, period = 0 } = await this.inEffect(given.model);
    const arm = canary === undefined ? version : version === canary.version ? 'canary' : 'stable';
    return Array.from({ length: count }, (_, i) => {
      this.#requests += 1;
      const requestId = `req_${this.#requests}`;
      to.observe({
        ...{ model: 'iris', requestId, arm, version, period, latencyMs: 1 },
        ...{ failed: i < failures, confidence: undefined, prediction: undefined },
        ...rest,
      });
      return requestId;
    });
  }

  /** Writes what was counted, and drives the canaries once, so much later. */
  async drive(seconds: number): Promise<RouteRecord> {
    this.nowMs += seconds * 1000;
    await this.traffic.experiments('iris');
    await this.traffic.lead();
    return this.traffic.route('iris');
  }

  /** What was recorded in the audit log, the newest last. */
  async events(): Promise<readonly string[]> {
    const rows = await this.store.query<Pick<CatalogEvent, 'who' | 'what'>>(
      'select who, what from catalog_events order by id',
    );
    return rows.map(({ who, what }) => `${who} ${what}`);
  }
}

const TABLES = [
  ...['routes', 'canaries', 'experiments', 'arms', 'arm_latencies', 'disagreements', 'answers'],
  ...['statistics_writers', 'catalog_events', 'model_labels', 'models'],
];

/** Empties what the tests of a file share. */
export async function clear(store: Store): Promise<void> {
  for (const table of TABLES) await store.query(`delete from ${table}`);
}

/** Asserts that a promise rejects with a code and a sentence. */
export async function rejects(work: Promise<unknown>, code: string, text: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error & { code: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
    return true;
  });
}
