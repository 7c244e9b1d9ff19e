/** @module The first tier of the cache: the memory of one HTTP thread. */

import { LRUCache } from 'lru-cache';
import { type CacheKey, isEqual } from './key.ts';
import { type CacheEntry, entryBytes } from './results.ts';

/** Holds entries up to a number of bytes, and drops those that were not used for the longest time. */
export class MemoryTier {
  readonly #entries: LRUCache<string, CacheEntry> | undefined;

  /** @param maxBytes 0 means that nothing is held. */
  constructor(maxBytes: number) {
    if (maxBytes > 0) {
      this.#entries = new LRUCache({ maxSize: maxBytes, sizeCalculation: entryBytes });
    }
  }

  /** Bytes of the entries. */
  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  /** The entry of a key; undefined if there is none, also if another key has the same hash. */
  get(key: CacheKey): CacheEntry | undefined {
    const entry = this.#entries?.get(key.hash);
    if (entry === undefined || !isEqual(entry.key, key.bytes)) return undefined;
    // A key that is remembered then shares its memory with the entry, and is equal without a comparison.
    key.bytes = entry.key;
    return entry;
  }

  /** Holds an entry instead of one with the same hash. An entry of more bytes than all may have is not held. */
  set(hash: string, entry: CacheEntry): void {
    this.#entries?.set(hash, entry);
  }
}
