/**
 * The platform around the models: what is stored about them, where their artifacts are, and how traffic reaches them. It
 * exists only where a store is wanted (`wantsStore`).
 *
 * @module
 */

import { join } from 'node:path';
import { type ArtifactStore, openArtifacts } from './artifacts/index.ts';
import type { Bus } from './bus.ts';
import {
  CATALOG_CHANNEL,
  Catalog,
  type CatalogSnapshot,
  type CheckSignature,
  type Probe,
  type RepositoryModels,
  signatureChecker,
} from './catalog/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import { ServeError } from './errors.ts';
import { type Files, Follower, LocalCopies } from './follow/index.ts';
import { Jobs } from './jobs/index.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics/index.ts';
import type { RoutingFile } from './routing/routing-file.ts';
import type { Store } from './store/store.ts';
import { StoredRoutes, Traffic } from './traffic/index.ts';

/** The platform in one HTTP thread. Its state is in the store, which all threads and processes share. */
export interface Platform {
  readonly store: Store;
  readonly artifacts: ArtifactStore;
  readonly catalog: Catalog;
  readonly traffic: Traffic;
  readonly jobs: Jobs;
  /**
   * Resolves when what the catalog has now is served in all threads of this process, as far as it can be; at the latest
   * after five seconds. A changing call awaits it, so that its client sees the change in the next response.
   */
  followed(): Promise<void>;
  /** Sentences about what does not work at the moment. */
  notes(): readonly string[];
  /**
   * What the thread has to serve before it takes requests; undefined if the first thread of the process decides that.
   *
   * @throws {ServeError} `STORE_UNAVAILABLE`
   */
  first(): Promise<CatalogSnapshot | undefined>;
  /** Begins what the platform does by itself. Called when the thread serves what `first` returned. */
  start(): Promise<void>;
  /** Ends waiting requests, and resolves when the jobs that run have ended or are queued again. */
  drain(): Promise<void>;
  /** Ends the work of the parts. The store stays open. */
  close(): Promise<void>;
}

/** What the parts of the platform need from the thread that they run in. */
export interface PlatformParts {
  readonly config: Config;
  readonly store: Store;
  /** Tries a version before it is registered. */
  readonly probe: Probe;
  /** The models of MODEL_PATH. */
  readonly repository: RepositoryModels;
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Undefined if `ROUTING_FILE` is not set. */
  readonly routingFile: RoutingFile | undefined;
  /** Makes the first thread of the process follow the catalog; undefined if this is the first one. */
  readonly follow: (() => Promise<void>) | undefined;
}

/** Opens a platform, which does nothing by itself before `start`. @throws {ServeError} `INVALID_CONFIG`, `STORE_UNAVAILABLE` */
export async function openPlatform(parts: PlatformParts): Promise<Platform> {
  const { config, store, repository, log, clock, metrics, bus, probe, follow, routingFile } = parts;
  const checkSignature = await signatureChecker(config);
  const jobs = await Jobs.open({ store, config, log, metrics, first: follow === undefined });
  const artifacts = openArtifacts(config);
  const routes = new StoredRoutes(() => routingFile?.routes() ?? {});
  const catalog = new Catalog({ store, routes, repository, artifacts, probe, checkSignature, log });
  const traffic = new Traffic({ store, routes, repository, config, log });
  const follower =
    follow === undefined
      ? new Follower({
          followed: {
            snapshot: () => catalog.snapshot(),
            async listen(listener) {
              const stop = await store.listen(CATALOG_CHANNEL, listener);
              routingFile?.listen(listener);
              return stop;
            },
          },
          files: filesOf(config, artifacts, checkSignature, log),
          ...{ bus, log, clock },
          isNotified: store.kind === 'embedded',
        })
      : undefined;
  return {
    ...{ store, artifacts, catalog, traffic, jobs },
    first: async () => follower?.first(),
    followed: follow ?? (() => follower!.follow()),
    notes: () => follower?.notes() ?? [],
    async start() {
      traffic.start(follower !== undefined);
      if (follower === undefined) return;
      catalog.startMaintenance();
      await follower.start();
    },
    drain: () => jobs.drain(),
    async close() {
      await jobs.close();
      await traffic.close();
      await follower?.close();
      await catalog.close();
      artifacts.close();
    },
  };
}

/** Local copies of the artifacts, whose signatures are checked before they are loaded. */
function filesOf(
  { stateDir }: Config,
  artifacts: ArtifactStore,
  checkSignature: CheckSignature,
  log: Log,
): Files {
  const copies = new LocalCopies(join(stateDir, 'models'), artifacts);
  return {
    async get(model, { version, digest, signature, config }, signal) {
      const copy = await copies.get(digest, signal);
      const { refusal, warning } = await checkSignature(copy, signature, config);
      if (refusal !== undefined) throw new ServeError('REJECTED', refusal);
      if (warning !== undefined) log.warn({ model, version, reason: warning }, 'signature');
      return copy.source;
    },
    keep: (digests) => copies.sweep(digests),
  };
}

/** Whether the process opens a store: a setting names one, or a service that runs cannot work without one. */
export function wantsStore(
  { databaseUrl, services }: Pick<Config, 'databaseUrl' | 'services'>,
  table: readonly { readonly name: string; readonly needsStore?: true }[],
): boolean {
  const needed = table.some((each) => each.needsStore === true && services.includes(each.name));
  return databaseUrl !== undefined || needed;
}
