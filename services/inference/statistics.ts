/** @module What the statistics extension tells of a model, from the counters of the native core. */

import type { ModelVersion, Runtime } from '../../runtime/index.ts';

interface Duration {
  readonly count: number;
  readonly ns: number;
}

const none: Duration = { count: 0, ns: 0 };

export function everyStatistics(runtime: Runtime) {
  return runtime
    .models()
    .flatMap(({ name }) => runtime.model(name).loaded())
    .map((version) => modelStatistics(version));
}

/**
 * `success` and `queue` count requests, `compute_*` runs. Requests that ended without an answer of the
 * model, for whatever reason, are `fail`.
 */
export function modelStatistics(version: ModelVersion) {
  const stats = version.stats();
  const duration = (count: number, seconds: number): Duration => ({
    count,
    ns: Math.round(seconds * 1e9),
  });
  const failed = stats.failed + stats.cancelled + stats.expired;
  return {
    name: version.model,
    version: version.version,
    inference_count: stats.rows,
    execution_count: stats.batches,
    inference_stats: {
      success: duration(stats.completed, stats.queue.sum + stats.compute.sum),
      fail: duration(failed, 0),
      queue: duration(stats.queue.count, stats.queue.sum),
      compute_infer: duration(stats.compute.count, stats.compute.sum),
      cache_hit: none,
      cache_miss: none,
    },
  };
}
