/** @module What the parts of the catalog share. */

import type { Sql, Store } from '../store/store.ts';
import type { TrafficRoutes } from './traffic.ts';

/** The models in the folder `MODEL_PATH`, which need no registration. */
export interface RepositoryModels {
  /** Their names, sorted. */
  names(): readonly string[];
  /** The versions of a model, oldest first; undefined if the repository has no such model. */
  versions(model: string): readonly string[] | undefined;
  /** What the `model.json` of a model says about each of its versions; undefined if there is none. */
  config(model: string): Readonly<Record<string, unknown>> | undefined;
}

export interface CatalogContext {
  readonly store: Store;
  readonly routes: TrafficRoutes;
  readonly repository: RepositoryModels;
}

/** The channel on which every change of the catalog, of a label or of a route is announced, with the name of the model. */
export const CATALOG_CHANNEL = 'millrace_catalog';

/** A number that no revision or claim has had before. */
export async function nextNumber(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ number: number }>(`select nextval('catalog_revision') as number`);
  return row!.number;
}
