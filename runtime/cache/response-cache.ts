/**
 * Caches the outputs of model versions, so that a request with the same inputs gets them without a run. What is cached
 * are tensors, not responses: requests in any protocol and form share them, and a response is always made for its own
 * request. .github/decisions/0037 has the reasons.
 *
 * @module
 */

import type { CancelSignal, RunResult, Timings } from '../../native/index.ts';
import type { HeaderReader, Principal } from '../access.ts';
import type { ModelVersion } from '../model.ts';
import { joinTimings } from '../timings.ts';
import { directiveOf } from './directive.ts';
import { Flight, isLate } from './flight.ts';
import { type CacheKey, isEqual, type KeyedRequest, KeyMaker } from './key.ts';
import type { CacheMetrics } from './metrics.ts';
import type { RedisTier } from './redis-tier.ts';
import { RequestMemory } from './request-memory.ts';
import { type CacheEntry, createEntry } from './results.ts';
import { type CacheScope, CacheScopes } from './scope.ts';
import { tenantOf } from './tenant.ts';

/** How the cache took part in a request. */
export interface CacheOutcome {
  /**
   * `hit`: the results are of a run that another request has started. `miss`: they are of a run for this request, and
   * are cached. `bypass`: the same, and they are not cached.
   */
  readonly state: 'hit' | 'miss' | 'bypass';
  /** Seconds since the run of a hit ended; undefined otherwise. */
  readonly ageSecs?: number;
}

/** The results of a request. */
export interface CacheAnswer {
  /** The result of each run. They are shared, so that nothing may write to them. */
  readonly results: readonly RunResult[];
  /** What this request itself has waited for. */
  readonly timings: Timings;
  /** Undefined if the cache did not take part. */
  readonly cache: CacheOutcome | undefined;
}

/** The client of a request. */
export interface CacheCaller {
  readonly principal?: Principal | undefined;
  readonly headers?: HeaderReader | undefined;
  readonly signal: CancelSignal | undefined;
}

/** A request whose results may be cached. */
export interface CacheRequest extends KeyedRequest {
  /** Its level of priority, where 0 is the most urgent. It does not wait for a run of a less urgent one. */
  readonly priority: number;
  /** Milliseconds until it must have its results; undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** Makes the runs. @param signal Cancels them; default: that of the caller. */
  run(signal?: CancelSignal): Promise<CacheAnswer>;
}

export interface CacheSettings {
  /** `CACHE_TTL`: seconds for versions whose `model.json` does not say; undefined or 0 means that these are not cached. */
  readonly cacheTtlSecs: number | undefined;
  /** `CACHE_MAX_BYTES` */
  readonly cacheMaxBytes: number;
}

export interface ResponseCacheParts {
  readonly settings: CacheSettings;
  readonly metrics: CacheMetrics;
  /** The second tier, if there is one. */
  readonly redis?: RedisTier | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A key whose results are being found, and the flight that finds them. */
interface Pending {
  readonly key: CacheKey;
  readonly priority: number;
  readonly flight: Flight<Found>;
}

interface Found {
  readonly entry: CacheEntry;
  /** Whether the results come from Redis instead of a run. */
  readonly isStored: boolean;
}

/** The part of `CACHE_MAX_BYTES` that the memory of requests takes. The rest is for results. */
const REQUESTS_SHARE = 1 / 8;

/** The times of a request for which nothing ran. */
const NO_RUN: Timings = { queueMs: 0, computeMs: 0, batchRows: 0, batchRequests: 0 };

/** The cache of one HTTP thread. */
export class ResponseCache {
  readonly #scopes: CacheScopes;
  readonly #metrics: CacheMetrics;
  readonly #redis: RedisTier | undefined;
  readonly #now: () => number;
  readonly #requestBytes: number;
  readonly #memories = new Map<string, unknown>();
  readonly #keys = new KeyMaker();
  /** By the hash of their keys. */
  readonly #pending = new Map<string, Pending>();

  constructor({ settings, metrics, redis, now = Date.now }: ResponseCacheParts) {
    const { cacheTtlSecs, cacheMaxBytes } = settings;
    this.#requestBytes = Math.floor(cacheMaxBytes * REQUESTS_SHARE);
    this.#scopes = new CacheScopes(cacheTtlSecs ?? 0, cacheMaxBytes - this.#requestBytes);
    this.#metrics = metrics;
    this.#redis = redis;
    this.#now = now;
  }

  /**
   * The memory of the requests to a route, which all services that have the route share. It remembers nothing while no
   * version is cached.
   */
  requestsTo<Meaning extends object>(path: string): RequestMemory<Meaning> {
    let memory = this.#memories.get(path) as RequestMemory<Meaning> | undefined;
    if (memory === undefined) {
      memory = new RequestMemory(this.#requestBytes, () => this.#scopes.inUse);
      this.#memories.set(path, memory);
    }
    return memory;
  }

  /** Closes the connection to Redis. */
  close(): void {
    this.#redis?.close();
  }

  /** How a version is cached; undefined if it is not. */
  scopeOf(version: ModelVersion): CacheScope | undefined {
    return this.#scopes.of(version);
  }

  /**
   * The results of a request, from the cache or from its runs. Errors are not cached.
   *
   * @throws what the runs reject with; `DEADLINE_EXCEEDED` or the reason of the caller's signal while it waits for runs of
   * another request.
   */
  answer(
    scope: CacheScope,
    request: CacheRequest,
    caller: CacheCaller,
  ): CacheAnswer | Promise<CacheAnswer> {
    const directive = directiveOf(caller.headers?.get('cache-control') ?? null);
    if (directive === 'no-store') return bypass(request);
    const key = this.#keys.make(scope.identity, tenantOf(caller.principal), request);
    if (key === undefined) return bypass(request);
    const refresh = directive === 'no-cache';
    return key instanceof Promise
      ? key.then((made) => this.#find(scope, made, request, caller, refresh))
      : this.#find(scope, key, request, caller, refresh);
  }

  #find(
    scope: CacheScope,
    key: CacheKey,
    request: CacheRequest,
    caller: CacheCaller,
    refresh: boolean,
  ): CacheAnswer | Promise<CacheAnswer> {
    if (refresh) return this.#lead(scope, key, request, caller, refresh);
    const entry = scope.memory.get(key);
    if (entry !== undefined && this.#isFresh(scope, entry)) {
      this.#metrics.hits.memory.add();
      return this.#hit(entry, true);
    }
    const pending = this.#pending.get(key.hash);
    if (pending !== undefined && mayJoin(pending, key, request)) {
      return this.#join(scope, pending, request, caller);
    }
    this.#metrics.misses.memory.add();
    return this.#lead(scope, key, request, caller, refresh);
  }

  /** Waits for what another request has started. */
  async #join(
    scope: CacheScope,
    { flight, key }: Pending,
    request: CacheRequest,
    caller: CacheCaller,
  ): Promise<CacheAnswer> {
    const { timeoutMs } = request;
    const until = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    try {
      const { entry, isStored } = await flight.wait(caller.signal, timeoutMs);
      this.#metrics.hits.memory.add();
      return this.#hit(entry, isStored);
    } catch (error) {
      const left = until === undefined ? undefined : until - performance.now();
      // The other request may have had an earlier deadline than this one.
      if (!isLate(error) || (left !== undefined && left <= 0)) throw error;
      return this.#find(scope, key, { ...request, timeoutMs: left }, caller, false);
    }
  }

  /** Finds the results for this request and for those that join it. */
  async #lead(
    scope: CacheScope,
    { hash, bytes, isBorrowed }: CacheKey,
    request: CacheRequest,
    caller: CacheCaller,
    refresh: boolean,
  ): Promise<CacheAnswer> {
    const key = { hash, bytes: isBorrowed ? bytes.slice() : bytes };
    const isCurrent = () => this.#pending.get(hash) === pending;
    const flight = new Flight(async (signal) => {
      try {
        const stored = refresh ? undefined : await this.#fetch(scope, key);
        if (stored !== undefined) return { entry: stored, isStored: true };
        const { results } = await request.run(signal);
        const entry = createEntry(key.bytes, results, this.#now());
        // A request with no-cache has newer results.
        if (isCurrent()) this.#store(scope, hash, entry);
        return { entry, isStored: false };
      } finally {
        if (isCurrent()) this.#pending.delete(hash);
      }
    });
    const pending: Pending = { key, priority: request.priority, flight };
    this.#pending.set(hash, pending);
    // The runs have the deadline of this request.
    const { entry, isStored } = await flight.wait(caller.signal, undefined);
    if (isStored) return this.#hit(entry, isStored);
    const { results } = entry;
    return { results, timings: joinTimings(results), cache: { state: 'miss' } };
  }

  /** The entry that Redis has. */
  async #fetch(scope: CacheScope, key: CacheKey): Promise<CacheEntry | undefined> {
    if (!this.#redis?.usable) return undefined;
    const entry = await this.#redis.get(key);
    if (entry === 'failed') return undefined;
    if (entry === undefined || !this.#isFresh(scope, entry)) {
      this.#metrics.misses.redis.add();
      return undefined;
    }
    this.#metrics.hits.redis.add();
    scope.memory.set(key.hash, entry);
    return entry;
  }

  #store(scope: CacheScope, hash: string, entry: CacheEntry): void {
    scope.memory.set(hash, entry);
    this.#redis?.set(hash, entry, scope.ttlMs);
  }

  #isFresh({ ttlMs }: CacheScope, entry: CacheEntry): boolean {
    return this.#ageMs(entry) < ttlMs;
  }

  /** @param isStored Whether the request has not waited for the runs. */
  #hit(entry: CacheEntry, isStored: boolean): CacheAnswer {
    const { results } = entry;
    return {
      results,
      timings: isStored ? NO_RUN : joinTimings(results),
      cache: { state: 'hit', ageSecs: Math.floor(this.#ageMs(entry) / 1000) },
    };
  }

  /** The clocks of two machines may differ, so that an entry may seem to come from the future. */
  #ageMs({ storedAt }: CacheEntry): number {
    return Math.max(0, this.#now() - storedAt);
  }
}

/** Whether a request may wait for what another one has started. */
const mayJoin = ({ key, priority, flight }: Pending, { bytes }: CacheKey, request: CacheRequest) =>
  isEqual(key.bytes, bytes) && priority <= request.priority && !flight.isCancelled;

async function bypass(request: CacheRequest): Promise<CacheAnswer> {
  return { ...(await request.run()), cache: { state: 'bypass' } };
}
