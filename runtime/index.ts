/** @module The public interface of the runtime, which services use. */

import type { Codec, Engine } from '../native/index.ts';
import { type Access, openAccess } from './access.ts';
import { Admission } from './admission.ts';
import { BodyBudget } from './body-budget.ts';
import { type Bus, type BusMember, ChangeSequencer, createMember } from './bus.ts';
import { openCache } from './cache/index.ts';
import type { CatalogSnapshot, Probe } from './catalog/index.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config/index.ts';
import { withCostCache } from './cost-cache.ts';
import { ServeError } from './errors.ts';
import { followRoutingFile } from './follow/index.ts';
import { createLog, type Log } from './log.ts';
import { Metrics } from './metrics/index.ts';
import { addRepositoryMetrics } from './metrics/repository.ts';
import { type Caller, type Inference, type InferenceSteps, infer } from './pipeline.ts';
import { openPlatform, type Platform } from './platform.ts';
import { startPolling } from './polling.ts';
import { type IndexEntry, Registry } from './registry/index.ts';
import type { LoadOverride, Skipped } from './repository/index.ts';
import { ArmTraffic } from './routing/arm-traffic.ts';
import type { Observer } from './routing/observer.ts';
import type { RouteTable } from './routing/route-table.ts';
import { addRoutingFileMetric, RoutingFile } from './routing/routing-file.ts';
import type { Random } from './routing/split.ts';
import type { ModelStatus } from './served-model.ts';
import type { Store } from './store/store.ts';

export {
  type CancelSignal,
  type Codec,
  countPackedStrings,
  type Datatype,
  datatypes,
  type ElementData,
  type ElementType,
  type Engine,
  elementArrays,
  elementsIn,
  type InferRequest as CodecRequest,
  type PackedTensor,
  type Parameters,
  type ParameterValue,
  packStrings,
  quote,
  type Tensor,
  type TensorSpec,
  type Tensors,
  type Timings,
  tensorBytes,
  unpackStrings,
} from '../native/index.ts';
export type { Access, HeaderReader, Principal } from './access.ts';
export type { Admission } from './admission.ts';
export { BodyBudget, BodyShare } from './body-budget.ts';
export {
  type Bus,
  type BusMember,
  ChangeSequencer,
  type Failure,
  fromFailure,
  type StateChange,
  toFailure,
  type Vote,
} from './bus.ts';
export {
  type Author,
  type Catalog,
  type CatalogEvent,
  type CatalogSnapshot,
  checkRegistration,
  type Expected,
  type LabelRecord,
  type ModelRecord,
  type OnceKey,
  type Probe,
  type ProbeRequest,
  type ProbeResult,
  probeArtifact,
  type Registration,
  type VersionPolicy,
  type VersionRecord,
  Workspace,
} from './catalog/index.ts';
export { checkSchema } from './check-schema.ts';
export type { Clock } from './clock.ts';
export {
  type Config,
  type ConfigSources,
  portSetting,
  processSources,
  readConfig,
  type ServerAddress,
  type ServicePorts,
  type SettingInForce,
  serverAddress,
  settingsHelp,
  settingsInForce,
  wantsHelp,
} from './config/index.ts';
export {
  createTensor,
  describeValue,
  elementCodec,
  elementCount,
  jsonElement,
} from './elements.ts';
export { fromEngine, invalidArgument, type ServeCode, ServeError } from './errors.ts';
export { checkArtifacts, checkRedis, scanRepository } from './examine.ts';
export {
  currentHost,
  exit,
  type Host,
  type IdleTimer,
  listenError,
  onStopSignal,
  onUncaughtError,
  type Parent,
  parentThread,
  type RequestHandler,
  startThread,
  type Thread,
} from './host/index.ts';
export { InFlightCount } from './in-flight-count.ts';
export {
  type Answer,
  DEFAULT_ATTEMPTS,
  type InferRoutes,
  type Job,
  type JobRequest,
  type JobStatus,
  Jobs,
  type JobTarget,
  jobJson,
  jobStatuses,
  type Made,
  MOST_ATTEMPTS,
  type Owner,
} from './jobs/index.ts';
export { createLog, type Log, onTerminal, readableLine } from './log.ts';
export type { HistogramSeries, Metrics } from './metrics/index.ts';
export type { ModelVersion } from './model.ts';
export { type JsonElement, type NonFinite, stringify, toNonFinite } from './non-finite.ts';
export { registerVersion } from './offline.ts';
export type {
  Caller,
  Inference,
  InferenceSteps,
  Outcome,
  Prepared,
} from './pipeline.ts';
export { type Platform, wantsStore } from './platform.ts';
export type { IndexEntry } from './registry/index.ts';
export { configType, type LoadOverride, type Skipped } from './repository/index.ts';
export { trafficRouteSchema } from './routing/route.ts';
export type { RouteContext, RouteTable } from './routing/route-table.ts';
export type { ModelStatus, ServedModel, VersionStatus } from './served-model.ts';
export { ShortTurns } from './short-turns.ts';
export {
  readTrust,
  type Signer,
  sign as signModel,
  verify as verifyModel,
} from './signing/index.ts';
export { joinStore, openStore, type Store, type StoreTicket, shareStore } from './store/index.ts';
export {
  type Features,
  type Outputs,
  type Prediction,
  ranksAbove,
  type TabularTask,
  type TaskName,
} from './tasks/index.ts';
export { roundMs, serverTiming } from './timings.ts';
export type { CanaryAction, ExperimentReport, RouteRecord, Traffic } from './traffic/index.ts';

/** The runtime of one HTTP thread. All threads share the engine's models and counters. */
export interface Runtime {
  readonly config: Config;
  readonly admission: Admission;
  /** Counts the bytes of request bodies, of all threads of the process together. */
  readonly bodies: BodyBudget;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly codec: Codec;
  /** Authenticates the sender of a request. Every protocol calls it before a body is read. */
  readonly access: Access;
  /** Serves one request; see `pipeline.ts`. The caller holds a permit of `admission`. @throws {ServeError} */
  infer<Request, Context, Response>(
    steps: InferenceSteps<Request, Context, Response>,
    request: Request,
    caller: Caller,
  ): Promise<Inference<Response>>;
  /** The models that are served, and which of their versions a request goes to. */
  readonly routes: RouteTable;
  /** Loads and unloads models; see `Registry`. */
  readonly repository: RepositoryControl;
  /** Every model and version, with the reason if one is not served. */
  models(): ModelStatus[];
  /** Why this process does not serve a version that it should; undefined if it does, or does not know the version. */
  whyNotServed(model: string, version: string): string | undefined;
  /**
   * Whether requests are taken: the thread is not draining, and at least one version takes them or, with
   * `MODEL_CONTROL_MODE=explicit`, no model has been loaded yet.
   */
  ready(): boolean;
  /**
   * Whether the server is ready in the sense of the V2 protocol: the thread is not draining, and every version takes
   * requests. With `STRICT_READINESS=false` it only must not be draining.
   */
  readyForV2(): boolean;
  /** What is stored about the models; undefined where no store is wanted. */
  readonly platform: Platform | undefined;
  /** What of the catalog the thread has served from its start. */
  readonly catalog: CatalogSnapshot | undefined;
  /** Sentences about what is not as it should be, for operators. */
  notes(): readonly string[];
  /** Makes changes of state in this thread; see `bus.ts`. */
  readonly member: BusMember;
  /** Identifies what this thread serves: it is equal in two threads that serve the same. */
  state(): string;
  /** Refuses new requests and changes; resolves when none is in flight. */
  drain(): Promise<void>;
  /** Unloads every model. Must be called after `drain()` has resolved. The engine stays open. */
  close(): Promise<void>;
}

export interface RepositoryControl {
  /** Whether clients may load and unload models. */
  readonly controlled: boolean;
  /** Every model of the repository, served or not. */
  index(): Promise<IndexEntry[]>;
  /** The entries of the repository that are not served, with the reasons. */
  skipped(): readonly Skipped[];
  /** @throws {ServeError} `MODEL_NOT_FOUND`, `MODEL_NOT_READY` */
  load(name: string, override?: LoadOverride): Promise<void>;
  /** @throws {ServeError} `MODEL_NOT_FOUND` */
  unload(name: string): Promise<void>;
}

/** Parts of the runtime that tests replace. */
export interface RuntimeParts {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: Random;
  /** Makes changes of state in every HTTP thread. Default: this one is the only one. */
  readonly bus?: Bus;
  /** Whether this is the first HTTP thread, which alone polls the repository. Default: true. */
  readonly first?: boolean;
  /** The store of the platform, which the caller closes after the runtime. Default: there is none. */
  readonly store?: Promise<Store> | undefined;
  /** Tries a version before it is registered. Default: none can be registered. */
  readonly probe?: Probe | undefined;
  /** What the first thread of the process serves of the catalog, for the others. */
  readonly catalog?: CatalogSnapshot | undefined;
  /** Is told of requests to the arms of routes, as the platform is. */
  readonly observer?: Observer;
  /** Makes the first thread follow the catalog, for the others. */
  readonly follow?: (() => Promise<void>) | undefined;
}

/**
 * Loads and warms every model of the repository.
 *
 * @param engine The caller owns it, and closes it after the runtime.
 * @throws {ServeError} `INVALID_CONFIG` when the repository or the default model does not exist. A version
 * that cannot be loaded is not an error: it does not affect others, and `models()` has the reason.
 */
export async function createRuntime(
  config: Config,
  engine: Engine,
  parts: RuntimeParts = {},
): Promise<Runtime> {
  const { first = true } = parts;
  const log = parts.log ?? createLog(config.logLevel);
  const loader = withCostCache(engine, config.cacheDir, log);
  // Every thread reads the same repository, and only the first one logs what it finds there.
  const notices = first ? log : createLog('silent');
  const random = parts.random ?? Math.random;
  const follows = parts.store !== undefined;
  const registry = await Registry.open(config, loader, random, log, notices, follows);
  const member = createMember((change) => registry.prepare(change), log);
  const own = parts.bus === undefined ? new ChangeSequencer([member]) : undefined;
  const bus = parts.bus ?? own!;
  const clock = parts.clock ?? systemClock;
  const metrics = new Metrics(engine.counters, () => registry.loaded());
  addRepositoryMetrics(metrics, registry);
  const routingFile = await openRoutingFile(config, registry, notices);
  if (routingFile !== undefined) addRoutingFileMetric(metrics, routingFile);
  const opened =
    parts.store &&
    (await openPlatform({
      store: await parts.store,
      repository: registry.repositoryModels(),
      probe: parts.probe ?? noProbe,
      follow: parts.follow,
      ...{ config, bus, log, clock, metrics, routingFile },
    }));
  const platform = opened?.platform;
  const follower =
    first && platform === undefined && routingFile !== undefined
      ? followRoutingFile(routingFile, { bus, log, clock })
      : undefined;
  const catalog = opened?.first ?? (await follower?.first()) ?? parts.catalog;
  if (catalog !== undefined) {
    (await registry.prepare({ kind: 'catalog', snapshot: catalog })).commit();
  }
  await platform?.start();
  await follower?.start();
  const stopPolling = first ? startPolling(config, bus, log) : () => {};
  const admission = new Admission(
    config.maxInFlight,
    () => registry.expectedWaitMs(),
    clock,
    config.maxReceiving,
  );
  const arms = new ArmTraffic({
    clock,
    metrics,
    random,
    isBusy: () => admission.inFlight * 2 > config.maxInFlight,
    keepInputs: config.shadowKeepInputs,
  });
  if (platform !== undefined) arms.attach(platform.traffic.observer);
  if (parts.observer !== undefined) arms.attach(parts.observer);
  const cache = await openCache(config, metrics, notices);
  const serving = { routes: registry.routes, arms, cache };
  return {
    config,
    admission,
    bodies: new BodyBudget(engine.codec.byteBudget(config.maxBodyBytesInFlight)),
    clock,
    log,
    metrics,
    codec: engine.codec,
    access: openAccess,
    infer: (steps, request, from) => infer(serving, steps, request, from),
    routes: registry.routes,
    repository: repositoryControl(config, registry, bus),
    platform,
    catalog,
    notes: () => [
      ...registry.notes(),
      ...(routingFile?.notes() ?? []),
      ...(platform?.notes() ?? []),
    ],
    member,
    state: () => registry.state(),
    models: () => registry.status(),
    whyNotServed: (model, version) => registry.whyNotServed(model, version),
    ready: () => !admission.draining && registry.ready(),
    readyForV2: () => !admission.draining && (!config.strictReadiness || registry.complete()),
    async drain() {
      stopPolling();
      await Promise.all([platform?.drain(), admission.drain(), own?.close()]);
    },
    async close() {
      stopPolling();
      arms.close();
      routingFile?.close();
      await follower?.close();
      await own?.close();
      await platform?.close();
      await registry.close();
      cache.close();
    },
  };
}

const openRoutingFile = ({ routingFile: path }: Config, { routes: table }: Registry, log: Log) =>
  path === undefined ? undefined : RoutingFile.open({ path, table, log });

const noProbe: Probe = async () => {
  throw new ServeError('REJECTED', 'This process cannot try versions, so none can be registered.');
};

function repositoryControl(
  { modelControlMode }: Config,
  registry: Registry,
  bus: Bus,
): RepositoryControl {
  return {
    controlled: modelControlMode === 'explicit',
    index: () => registry.index(),
    skipped: () => registry.skipped(),
    load: (name, override) => bus.publish({ kind: 'load', name, override }),
    unload: (name) => bus.publish({ kind: 'unload', name }),
  };
}
