/** @module The response cache. `response-cache.ts` is the page to read first. */

import type { Config } from '../config/index.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/index.ts';
import { RequestRedis } from '../redis.ts';
import { cacheMetrics } from './metrics.ts';
import { RedisTier } from './redis-tier.ts';
import { ResponseCache } from './response-cache.ts';

export { RememberedKey } from './key.ts';
export type { RequestMemory } from './request-memory.ts';
export {
  type CacheAnswer,
  type CacheOutcome,
  type CacheRequest,
  ResponseCache,
} from './response-cache.ts';

/** Opens the cache of an HTTP thread, with a second tier in Redis if `REDIS_URL` is set. */
export async function openCache(
  config: Config,
  metrics: Metrics,
  log: Log,
): Promise<ResponseCache> {
  const counters = cacheMetrics(metrics);
  const { redisUrl } = config;
  const onFailure = () => counters.redisFailures.add();
  const redis =
    redisUrl === undefined
      ? undefined
      : await RequestRedis.open(redisUrl, log, undefined, onFailure);
  return new ResponseCache({
    settings: config,
    metrics: counters,
    redis: redis && new RedisTier(redis, counters.redisFailures),
  });
}
