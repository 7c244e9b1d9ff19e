/** @module A cache over versions that exist only by name, whose results say for what they were made. */

import type { CancelSignal, RunResult, Tensors } from '../../../native/index.ts';
import type { Principal } from '../../../runtime/access.ts';
import type { CacheMetrics } from '../../../runtime/cache/metrics.ts';
import type { RedisTier } from '../../../runtime/cache/redis-tier.ts';
import { type CacheAnswer, ResponseCache } from '../../../runtime/cache/response-cache.ts';
import type { ModelVersion } from '../../../runtime/model.ts';
import { joinTimings } from '../../../runtime/timings.ts';

/** What distinguishes versions. */
export interface VersionParts {
  readonly model?: string;
  readonly version?: string;
  readonly digest?: string;
  readonly config?: object;
  readonly device?: string;
}

export function fakeVersion(parts: VersionParts = {}): ModelVersion {
  const { model = 'm', version = '1', digest = 'd', config = {}, device = 'cpu' } = parts;
  const settings = { providerOptions: {}, inputs: [], outputs: [] };
  return {
    model,
    version,
    digest,
    config,
    settings,
    device: { device },
  } as unknown as ModelVersion;
}

export const floats = (...values: number[]): Tensors => ({
  x: { type: 'float32', dims: [1, values.length], data: Float32Array.from(values) },
});

const TIMINGS = { queueMs: 1, computeMs: 2, batchRows: 3, batchRequests: 4 };

/** A result whose only output is a text. */
export const saying = (text: string): RunResult => ({
  outputs: { y: { type: 'string', dims: [1], data: [text] } },
  timings: TIMINGS,
});

/** The text of the first result. */
export const textOf = ({ results }: CacheAnswer): unknown => results[0]!.outputs.y!.data[0];

export interface Ask {
  readonly version?: ModelVersion;
  readonly inputs?: Tensors;
  readonly outputs?: readonly string[];
  readonly principal?: Principal;
  readonly control?: string;
  readonly signal?: CancelSignal;
  readonly priority?: number;
  readonly timeoutMs?: number;
  /** Makes the results. Default: a text that counts the runs. */
  readonly run?: (signal: CancelSignal | undefined) => Promise<RunResult>;
}

export interface TestCache {
  readonly cache: ResponseCache;
  /** Runs so far. */
  readonly runs: () => number;
  /** The clock, milliseconds. */
  now: number;
  /** What the metrics have counted, such as `hits.memory`. */
  readonly counted: Record<string, number>;
  ask(ask?: Ask): Promise<CacheAnswer>;
}

export interface TestCacheOptions {
  readonly ttlSecs?: number;
  readonly maxBytes?: number;
  readonly redis?: RedisTier;
  readonly counted?: Record<string, number>;
}

/** Counters of the cache that a test can read. */
export function countingMetrics(counted: Record<string, number>): CacheMetrics {
  const counter = (name: string) => ({
    add(amount = 1) {
      counted[name] = (counted[name] ?? 0) + amount;
    },
  });
  const tiers = (name: string) => ({
    memory: counter(`${name}.memory`),
    redis: counter(`${name}.redis`),
  });
  return { hits: tiers('hits'), misses: tiers('misses'), redisFailures: counter('failures') };
}

export function testCache(options: TestCacheOptions = {}): TestCache {
  const { ttlSecs = 60, maxBytes = 1e6, redis, counted = {} } = options;
  let runs = 0;
  const made: TestCache = {
    cache: new ResponseCache({
      settings: { cacheTtlSecs: ttlSecs, cacheMaxBytes: maxBytes },
      metrics: countingMetrics(counted),
      redis,
      now: () => made.now,
    }),
    runs: () => runs,
    now: 1e12,
    counted,
    async ask({ version = plain, inputs = floats(1), ...ask }: Ask = {}) {
      const { outputs, principal, control, signal, priority = 0, timeoutMs } = ask;
      const scope = made.cache.scopeOf(version);
      if (scope === undefined) throw new Error('The version is not cached');
      const request = {
        runs: [inputs],
        outputs,
        packStrings: false,
        priority,
        timeoutMs,
        async run(cancel?: CancelSignal): Promise<CacheAnswer> {
          runs += 1;
          const results = [await (ask.run?.(cancel) ?? Promise.resolve(saying(`run ${runs}`)))];
          return { results, timings: joinTimings(results), cache: undefined };
        },
      };
      const headers = { get: (name: string) => (name === 'cache-control' && control) || null };
      return made.cache.answer(scope, request, { principal, headers, signal });
    },
  };
  return made;
}

const plain = fakeVersion();
