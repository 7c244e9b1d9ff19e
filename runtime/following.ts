/** @module What changes models and routes of a runtime by itself: the catalog, and `ROUTING_FILE`. */

import type { CatalogSnapshot, Probe } from './catalog/index.ts';
import { ServeError } from './errors.ts';
import { followRoutingFile } from './follow/index.ts';
import { openPlatform, type Platform } from './platform.ts';
import { addRoutingFileMetric, RoutingFile } from './routing/routing-file.ts';
import type { RuntimeContext, RuntimeParts } from './runtime.ts';

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
  parts: RuntimeParts,
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
  if (path === undefined) return undefined;
  const file = await RoutingFile.open({ path, table: registry.routes, log: notices });
  addRoutingFileMetric(metrics, file);
  return file;
}

const noProbe: Probe = async () => {
  throw new ServeError('REJECTED', 'This process cannot try versions, so none can be registered.');
};
