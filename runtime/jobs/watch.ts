/** @module Tells waiting requests of this thread that a job has changed. */

import type { Store } from '../store/store.ts';

const CHANNEL = 'millrace_jobs';

/** The first character of notifications that workers follow; the id of the job comes after it. */
export const QUEUED = '+';
export const CANCELLED = '-';

/** The SQL that notifies of a change of the job in a row of `jobs`. */
export const notify = (sign = '') => `pg_notify('${CHANNEL}', '${sign}' || jobs.id)`;

/** Most time between two looks at a job, because a notification may be lost. */
const LOOK_AGAIN_MS = 5000;

/** Watches one job. A change between two calls of `next()` is not missed. */
export interface Watcher {
  /**
   * Resolves after the next change, at the latest after `mostMs`, and at once when the request has ended or the thread
   * stops.
   */
  next(mostMs: number): Promise<void>;
  close(): void;
}

/** The watchers of one thread. It starts to listen when there is something to watch. */
export class JobWatch {
  readonly #store: Store;
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #listeners = new Set<(notice: string) => void>();
  #listening: Promise<() => Promise<void>> | undefined;
  #closed = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether the thread stops, so that requests must not wait any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many jobs are watched. */
  get size(): number {
    return this.#watchers.size;
  }

  /**
   * Calls the listener with each notification, and with '' when some may have been lost.
   *
   * @throws {ServeError} `STORE_UNAVAILABLE`
   */
  async listen(listener: (notice: string) => void): Promise<void> {
    this.#listeners.add(listener);
    await this.#listen();
  }

  /**
   * @param signal Aborts when the request that waits has ended.
   * @throws {ServeError} `STORE_UNAVAILABLE`
   */
  async watch(id: string, signal: AbortSignal): Promise<Watcher> {
    await this.#listen();
    let isChanged = false;
    let wake = () => {};
    const changed = () => {
      isChanged = true;
      wake();
    };
    const stop = () => wake();
    signal.addEventListener('abort', stop);
    const others = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, others.add(changed));
    return {
      next: async (mostMs) => {
        if (!isChanged && !signal.aborted && !this.#closed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, Math.min(Math.max(mostMs, 0), LOOK_AGAIN_MS));
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        isChanged = false;
      },
      close: () => {
        signal.removeEventListener('abort', stop);
        others.delete(changed);
        if (others.size === 0 && this.#watchers.get(id) === others) this.#watchers.delete(id);
      },
    };
  }

  /** Ends all waiting. */
  end(): void {
    this.#closed = true;
    this.#wake([...this.#watchers.values()]);
  }

  async close(): Promise<void> {
    this.end();
    const stop = await this.#listening?.catch(() => undefined);
    await stop?.();
  }

  #listen(): Promise<unknown> {
    this.#listening ??= this.#store
      .listen(CHANNEL, (notice) => {
        for (const listener of this.#listeners) listener(notice);
        const some = this.#watchers.get(notice.replace(/^[+-]/, ''));
        this.#wake(notice === '' ? [...this.#watchers.values()] : some ? [some] : []);
      })
      .catch((error: unknown) => {
        this.#listening = undefined;
        throw error;
      });
    return this.#listening;
  }

  #wake(those: readonly ReadonlySet<() => void>[]): void {
    for (const watchers of those) for (const changed of watchers) changed();
  }
}
