/** @module The door of the runtime: what services may use of it. */

import type { Engine } from '../native/index.ts';
import { Admission } from './admission.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type InferRequest, type InferResult, infer } from './pipeline.ts';
import { Registry } from './registry.ts';
import type { ModelStatus, Random } from './served-model.ts';

export type { Engine, Timings } from '../native/index.ts';
export type { Admission } from './admission.ts';
export type { Clock } from './clock.ts';
export { type Config, type ConfigSources, readConfig } from './config.ts';
export { type ServeCode, ServeError } from './errors.ts';
export {
  currentHost,
  exit,
  type Host,
  onStopSignal,
  type Parent,
  parentThread,
  type RequestHandler,
  startThread,
  type Thread,
} from './host/index.ts';
export { createLog, type Log } from './log.ts';
export type { Metrics } from './metrics.ts';
export type { CancelSignal, InferRequest, InferResult } from './pipeline.ts';
export type { ModelStatus, VersionStatus } from './served-model.ts';
export type { Prediction } from './tasks/index.ts';
export { roundMs, serverTiming } from './timings.ts';

/** What a service works with. One per HTTP thread; the engine's models and counters are shared by all. */
export interface Runtime {
  readonly config: Config;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Answers one request. The caller holds a permit of `admission`. @throws {ServeError} */
  infer(request: InferRequest): Promise<InferResult>;
  /** Every model and version, with the reason where one is not served. */
  models(): ModelStatus[];
  /** Whether requests are taken: at least one version is loaded and the thread is not draining. */
  ready(): boolean;
  /** Unloads every model. To be called when `admission.drain()` has resolved. The engine stays open. */
  close(): Promise<void>;
}

/** What a test replaces. */
export interface RuntimeParts {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: Random;
}

/**
 * Loads and warms every model of the repository.
 *
 * @param engine Stays the caller's: it is closed after the runtime.
 * @throws {ServeError} `INVALID_CONFIG` when the repository or the default model does not exist. A version
 * that cannot be loaded is no error: it stops only itself and says why in `models()`.
 */
export async function createRuntime(
  config: Config,
  engine: Engine,
  parts: RuntimeParts = {},
): Promise<Runtime> {
  const log = parts.log ?? createLog(config.logLevel);
  const registry = await Registry.open(config, engine, parts.random ?? Math.random);
  const admission = new Admission(config.maxInFlight);
  return {
    config,
    admission,
    clock: parts.clock ?? systemClock,
    log,
    metrics: createMetrics(engine.counters, () => registry.loaded(), log),
    infer: (request) => infer(registry, request),
    models: () => registry.status(),
    ready: () => !admission.draining && registry.loaded().length > 0,
    close: () => registry.close(),
  };
}
