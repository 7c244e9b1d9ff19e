/** @module The counters of the cache, which all HTTP threads of the process share. */

import type { CounterSeries, Metrics } from '../metrics/index.ts';

export interface CacheMetrics {
  /** Look-ups that found results, and that found none, by tier. A request that waits for another one's run has found its results in memory. */
  readonly hits: TierCounters;
  readonly misses: TierCounters;
  /** Commands that Redis refused or did not respond to in time, and connections that were lost or could not be made. */
  readonly redisFailures: CounterSeries;
}

interface TierCounters {
  readonly memory: CounterSeries;
  readonly redis: CounterSeries;
}

export function cacheMetrics(metrics: Metrics): CacheMetrics {
  // Without the prefix, because dashboards of the platform that this one replaces read them.
  const byTier = (name: string, help: string): TierCounters => {
    const counter = metrics.counter({ name, help, labels: ['tier'] });
    return { memory: counter.series({ tier: 'memory' }), redis: counter.series({ tier: 'redis' }) };
  };
  return {
    hits: byTier('cache_hits_total', 'Look-ups of the response cache that found results'),
    misses: byTier('cache_misses_total', 'Look-ups of the response cache that found no results'),
    redisFailures: metrics
      .counter({
        name: 'millrace_cache_redis_failures_total',
        help: 'Commands of the response cache that Redis refused or did not respond to in time, and lost or failed connections',
        labels: [],
      })
      .series({}),
  };
}
