/** @module Named locks of a database that only one process can open: they end with the process, and are never lost before. */

import type { NamedLock } from './store.ts';

export class LocalLocks {
  readonly #held = new Set<string>();

  tryLock(name: string): NamedLock | undefined {
    if (this.#held.has(name)) return undefined;
    this.#held.add(name);
    let released = false;
    return {
      lost: new AbortController().signal,
      release: async () => {
        if (!released) this.#held.delete(name);
        released = true;
      },
    };
  }
}
