/** @module Follows `ROUTING_FILE` in a process without a store, so that all its HTTP threads have the same routes. */

import type { CatalogSnapshot } from '../catalog/index.ts';
import { ServeError } from '../errors.ts';
import type { RoutingFile } from '../routing/routing-file.ts';
import { Follower, type FollowerParts } from './follower.ts';

export function followRoutingFile(
  file: RoutingFile,
  parts: Pick<FollowerParts, 'bus' | 'log' | 'clock'>,
): Follower {
  return new Follower({
    ...parts,
    followed: {
      snapshot: async () => snapshotOf(file),
      listen: async (listener) => {
        const stop = file.listen(listener);
        return async () => stop();
      },
    },
    files: {
      get: () => Promise.reject(new ServeError('INTERNAL', 'There is no store of artifacts.')),
      keep: async () => {},
    },
    isNotified: true,
  });
}

const snapshotOf = (file: RoutingFile): CatalogSnapshot => ({
  models: Object.entries(file.routes()).map(([name, { canary: _, ...route }]) => ({
    ...{ name, versions: [], labels: {}, route },
    routeSource: 'file',
  })),
});
