/** @module The second tier of the cache: a Redis that processes share. */

import type { CounterSeries } from '../metrics/index.ts';
import type { RequestRedis } from '../redis.ts';
import { type CacheKey, isEqual } from './key.ts';
import { packEntry, unpackEntry } from './packed-entry.ts';
import { type CacheEntry, entryBytes } from './results.ts';

/** The number changes with the form of entries or keys, so that processes of two releases do not read each other's. */
const PREFIX = 'millrace:cache:1:';

/** Larger entries are not stored: to send them takes longer than a request may wait for Redis. */
const MAX_BYTES = 4 * 1024 * 1024;

export class RedisTier {
  readonly #redis: RequestRedis;
  readonly #failures: CounterSeries;

  constructor(redis: RequestRedis, failures: CounterSeries) {
    this.#redis = redis;
    this.#failures = failures;
  }

  /** Whether a look-up makes sense at the moment. */
  get usable(): boolean {
    return this.#redis.usable;
  }

  /** The entry of a key; undefined if there is none, and `failed` if Redis does not say so in time. Never rejects. */
  async get({ hash, bytes }: CacheKey): Promise<CacheEntry | undefined | 'failed'> {
    const packed = await this.#redis.get(PREFIX + hash);
    if (packed === 'failed') this.#failures.add();
    if (packed === 'failed' || packed === undefined) return packed;
    const entry = unpackEntry(packed);
    return entry !== undefined && isEqual(entry.key, bytes) ? entry : undefined;
  }

  close(): void {
    this.#redis.close();
  }

  /** Stores an entry in the background. */
  set(hash: string, entry: CacheEntry, ttlMs: number): void {
    if (!this.#redis.usable || entryBytes(entry) > MAX_BYTES) return;
    void this.#redis.set(PREFIX + hash, packEntry(entry), ttlMs).then((isStored) => {
      if (!isStored) this.#failures.add();
    });
  }
}
