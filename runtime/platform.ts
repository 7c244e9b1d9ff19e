/**
 * The platform around the models: what is stored about them, where their artifacts are, and how traffic reaches them. It
 * exists only where a store is wanted (`wantsStore`).
 *
 * @module
 */

import type { Config } from './config/index.ts';
import type { Store } from './store/store.ts';

/** The platform in one HTTP thread. Its state is in the store, which all threads and processes share. */
export interface Platform {
  readonly store: Store;
  /** Ends the work of the parts, then closes the store. */
  close(): Promise<void>;
}

/** What the parts of the platform need from the thread that they run in. */
export interface PlatformParts {
  readonly store: Store;
}

/** Opens the platform over a store, which it owns from now on. */
export async function openPlatform({ store }: PlatformParts): Promise<Platform> {
  return {
    store,
    close: () => store.close(),
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
