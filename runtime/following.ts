/** @module What changes models and routes of a runtime by itself: the catalog, and `ROUTING_FILE`. */

import type { Bus } from './bus.ts';
import type { CatalogSnapshot, Probe } from './catalog/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import { ServeError } from './errors.ts';
import { followRoutingFile } from './follow/index.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics/index.ts';
import { openPlatform, type Platform } from './platform.ts';
import type { Registry } from './registry/index.ts';
import { addRoutingFileMetric, RoutingFile } from './routing/routing-file.ts';
import type { Store } from './store/index.ts';

/** What the parts of a runtime share. */
export interface RuntimeContext {
  readonly config: Config;
  readonly registry: Registry;
  readonly bus: Bus;
  readonly log: Log;
  /** For what all threads find, which one of them logs. */
  readonly notices: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly first: boolean;
}

/** What the thread that opens a runtime provides. */
export interface FollowingParts {
  /** The store of the platform, which the caller closes after the runtime. Default: there is none. */
  readonly store?: Promise<Store> | undefined;
  /** Tries a version before it is registered. Default: none can be registered. */
  readonly probe?: Probe | undefined;
  /** What the first thread of the process serves of the catalog, for the others. */
  readonly catalog?: CatalogSnapshot | undefined;
  /** Makes the first thread follow the catalog, for the others. */
  readonly follow?: (() => Promise<void>) | undefined;
}

export interface Following {
  /** Undefined where no store is wanted. */
  readonly platform: Platform | undefined;
  /** What of the catalog the thread has served from its start. */
  readonly catalog: CatalogSnapshot | undefined;
  /** Sentences about what does not work at the moment. */
  notes(): readonly string[];
  close(): Promise<void>;
}

/**
 * Makes the runtime serve what the catalog and `ROUTING_FILE` have, and follow them. The first thread of a process reads
 * them, and the others are told.
 *
 * @throws {ServeError} `STORE_UNAVAILABLE`; `INVALID_CONFIG` if no model has the name of the default one
 */
export async function openFollowing(
  context: RuntimeContext,
  parts: FollowingParts,
): Promise<Following> {
  const { registry, bus, log, clock, first } = context;
  const routingFile = await openRoutingFile(context);
  let platform: Platform | undefined;
  const follower =
    first && parts.store === undefined && routingFile !== undefined
      ? followRoutingFile(routingFile, { bus, log, clock })
      : undefined;
  const close = async () => {
    routingFile?.close();
    await follower?.close();
    await platform?.close();
  };
  try {
    const store = await parts.store;
    platform =
      store &&
      (await openPlatform({
        ...context,
        ...{ store, routingFile },
        repository: registry.repositoryModels(),
        probe: parts.probe ?? noProbe,
        follow: parts.follow,
      }));
    const catalog = (await platform?.first()) ?? (await follower?.first()) ?? parts.catalog;
    if (catalog !== undefined) {
      (await registry.prepare({ kind: 'catalog', snapshot: catalog })).commit();
    }
    registry.checkDefaultModel();
    await platform?.start();
    await follower?.start();
    const notes = () => [...(routingFile?.notes() ?? []), ...(platform?.notes() ?? [])];
    return { platform, catalog, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openRoutingFile({ config, registry, notices, metrics }: RuntimeContext) {
  const { routingFile: path } = config;
  const parts = { table: registry.routes, log: notices };
  const file = path === undefined ? undefined : await RoutingFile.open({ path, ...parts });
  addRoutingFileMetric(metrics, file);
  return file;
}

const noProbe: Probe = async () => {
  throw new ServeError('REJECTED', 'This process cannot try versions, so none can be registered.');
};
