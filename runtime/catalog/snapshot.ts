/** @module What the catalog serves at one moment, as plain JSON that passes between threads. */

import type { TrafficRoute } from '../routing/route.ts';

export interface CatalogSnapshot {
  /** The models that have something to serve, a label or a route; sorted by name. */
  readonly models: readonly CatalogModel[];
}

export interface CatalogModel {
  readonly name: string;
  /**
   * The registered versions that are ready and that the version policy chooses, oldest first: their names in natural
   * order. Empty if the model is only in the repository.
   */
  readonly versions: readonly CatalogVersion[];
  /** The version that each label names; it may be one of the repository. */
  readonly labels: Readonly<Record<string, string>>;
  /** The route that is stored or in `ROUTING_FILE`, with the present share of its canary applied to the weights. */
  readonly route: TrafficRoute | undefined;
  readonly routeSource: 'file' | 'database' | undefined;
}

export interface CatalogVersion {
  readonly version: string;
  /** Digest of the artifact. */
  readonly digest: string;
  /** The `model.json` that was registered with it; null if there is none. */
  readonly config: unknown;
  /** The bundle that signs it; null if it is not signed. */
  readonly signature: unknown;
  /** The local folder with the files of the artifact; '' until the follower has downloaded and verified the artifact. */
  readonly path: string;
  /** Why the version cannot be served, if its artifact cannot be had or its signature is refused. */
  readonly failure?: string;
}
