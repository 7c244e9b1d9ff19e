/** @module The runtime of one HTTP thread: what it is made of, and how it is opened and closed. */

import { availableParallelism } from 'node:os';
import type { Codec, Engine } from '../native/index.ts';
import { type Access, openAccess } from './access.ts';
import { Admission } from './admission.ts';
import { BodyBudget } from './body-budget.ts';
import { type Bus, type BusMember, ChangeSequencer, createMember } from './bus.ts';
import { openCache, type ResponseCache } from './cache/index.ts';
import type { CatalogSnapshot } from './catalog/index.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config/index.ts';
import { withCostCache } from './cost-cache.ts';
import { type FollowingParts, openFollowing, type RuntimeContext } from './following.ts';
import { type LazyImageDecoder, openImageDecoder } from './image/decode/index.ts';
import { createLog, type Log } from './log.ts';
import { addImageMetrics } from './metrics/images.ts';
import { Metrics } from './metrics/index.ts';
import { addRepositoryMetrics } from './metrics/repository.ts';
import { type Caller, type Inference, type InferenceSteps, infer } from './pipeline.ts';
import type { Platform } from './platform.ts';
import { startPolling } from './polling.ts';
import { type IndexEntry, Registry } from './registry/index.ts';
import type { LoadOverride, Skipped } from './repository/index.ts';
import { ArmTraffic } from './routing/arm-traffic.ts';
import type { Observer } from './routing/observer.ts';
import type { RouteTable } from './routing/route-table.ts';
import type { Random } from './routing/split.ts';
import type { ModelStatus } from './served-model.ts';
import type { ImageTools } from './tasks/image/operation.ts';
import { openTokenizers, type Tokenizers } from './text/tokenizer/index.ts';

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
  /** What images are read and written with. */
  readonly imageTools: ImageTools;
  /** Authenticates the sender of a request. Every protocol calls it before a body is read. */
  readonly access: Access;
  readonly cache: ResponseCache;
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
  /** As in `Registry`. */
  whyNotServed(model: string, version: string): string | undefined;
  /** As in `Registry`. */
  notesOf(model: string, version: string): readonly string[];
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
export interface RuntimeParts extends FollowingParts {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: Random;
  /** Makes changes of state in every HTTP thread. Default: this one is the only one. */
  readonly bus?: Bus;
  /** Those of the process, which are closed with the runtime. Default: this thread has its own. */
  readonly tokenizers?: Tokenizers;
  /** The counts that the decoders of images in all threads share. Default: this is the only thread. */
  readonly decodeCounts?: SharedArrayBuffer | undefined;
  /** Whether this is the first HTTP thread, which alone polls the repository. Default: true. */
  readonly first?: boolean;
  /** Is told of requests to the arms of routes, as the platform is. */
  readonly observer?: Observer;
}

/**
 * Loads and warms every model of the repository, and what the catalog has.
 *
 * @param engine The caller owns it, and closes it after the runtime.
 * @throws {ServeError} `INVALID_CONFIG` when the repository or the default model does not exist, `STORE_UNAVAILABLE`. A
 * version that cannot be loaded is not an error: it does not affect others, and `models()` has the reason.
 */
export async function createRuntime(
  config: Config,
  engine: Engine,
  parts: RuntimeParts = {},
): Promise<Runtime> {
  const { first = true, clock = systemClock, random = Math.random } = parts;
  const log = parts.log ?? createLog(config.logLevel);
  // Every thread reads the same repository, and only the first one logs what it finds there.
  const notices = first ? log : createLog('silent');
  const tokenizers = parts.tokenizers ?? openTokenizers();
  const imageTools = openImageTools(config, engine, parts.decodeCounts);
  const loading = {
    ...{ engine: withCostCache(engine, config.cacheDir, log), tokenizers },
    decoder: imageTools.decoder,
  };
  const follows = parts.store !== undefined;
  const registry = await Registry.open(config, loading, random, log, notices, follows).catch(
    async (error) => {
      await tokenizers.close();
      throw error;
    },
  );
  const member = createMember((change) => registry.prepare(change), log);
  const own = parts.bus === undefined ? new ChangeSequencer([member]) : undefined;
  const bus = parts.bus ?? own!;
  const metrics = new Metrics(engine.counters, () => registry.loaded());
  addRepositoryMetrics(metrics, registry);
  addImageMetrics(metrics, imageTools.decoder);
  const context = { config, registry, bus, log, notices, clock, metrics, first };
  const following = await openFollowing(context, parts);
  const { platform } = following;
  const stopPolling = first ? startPolling(config, bus, log) : () => {};
  const serving = await openServing(context, random);
  for (const observer of [platform?.traffic.observer, parts.observer]) {
    if (observer !== undefined) serving.arms.attach(observer);
  }
  const { admission, arms, cache } = serving;
  return {
    ...{ config, admission, clock, log, metrics, cache, platform, member },
    bodies: new BodyBudget(engine.codec.byteBudget(config.maxBodyBytesInFlight)),
    codec: engine.codec,
    imageTools,
    access: openAccess,
    infer: (steps, request, from) => infer(serving, steps, request, from),
    routes: registry.routes,
    repository: repositoryControl(config, registry, bus),
    catalog: following.catalog,
    notes: () => [...registry.notes(), ...following.notes()],
    state: () => registry.state(),
    models: () => registry.status(),
    whyNotServed: (model, version) => registry.whyNotServed(model, version),
    notesOf: (model, version) => registry.notesOf(model, version),
    ready: () => !admission.draining && registry.ready(),
    readyForV2: () => !admission.draining && (!config.strictReadiness || registry.complete()),
    async drain() {
      stopPolling();
      await Promise.all([platform?.drain(), admission.drain(), own?.close()]);
    },
    async close() {
      stopPolling();
      arms.close();
      await own?.close();
      await following.close();
      await registry.close();
      await tokenizers.close();
      cache.close();
    },
  };
}

const openImageTools = (
  { maxPixels, maxPixelBytesInFlight, maxImagesWaiting }: Config,
  { images }: Engine,
  shared: SharedArrayBuffer | undefined,
): ImageTools & { readonly decoder: LazyImageDecoder } => ({
  decoder: openImageDecoder({
    ...{ maxPixels, bytes: maxPixelBytesInFlight, waiting: maxImagesWaiting, shared },
    decodes: availableParallelism(),
  }),
  images,
});

/** What requests are served with. */
async function openServing(
  { config, registry, clock, metrics, notices }: RuntimeContext,
  random: Random,
) {
  const expectedWait = () => registry.expectedWaitMs();
  const admission = new Admission(config.maxInFlight, expectedWait, clock, config.maxReceiving);
  const arms = new ArmTraffic({
    ...{ clock, metrics, random },
    isBusy: () => admission.inFlight * 2 > config.maxInFlight,
    keepInputs: config.shadowKeepInputs,
  });
  const cache = await openCache(config, metrics, notices);
  return { routes: registry.routes, admission, arms, cache };
}

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
