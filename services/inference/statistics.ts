/** @module The statistics extension, from the counters of the native engine. */

import type { ModelVersion, RouteContext, Runtime } from '../../runtime/index.ts';

interface Duration {
  readonly count: number;
  readonly ns: number;
}

const zero: Duration = { count: 0, ns: 0 };

const duration = (count: number, ms: number): Duration => ({ count, ns: Math.round(ms * 1e6) });

/** The statistics of every version of every model. */
export function everyStatistics({ routes }: Runtime) {
  return routes
    .models()
    .flatMap((model) => model.loaded())
    .map(modelStatistics);
}

/** The statistics of the named version, or of every version of the model. */
export function statisticsOf({ routes }: Runtime, target: RouteContext) {
  const versions =
    target.version === undefined ? routes.model(target).loaded() : [routes.describe(target)];
  return versions.map(modelStatistics);
}

/**
 * `inference_stats` counts requests: each successful request adds the whole time of its run, even if other requests
 * shared that run, and every other request counts as `fail`. `batch_stats` counts each run once.
 */
function modelStatistics(version: ModelVersion) {
  const stats = version.stats();
  const { answered, queue } = stats;
  const { count, inputMs, computeMs, outputMs } = answered;
  const queueMs = queue.sum * 1000;
  return {
    name: version.model,
    version: version.version,
    last_inference: stats.lastRunAt,
    inference_count: stats.rows,
    execution_count: stats.batches,
    inference_stats: {
      success: duration(count, queueMs + inputMs + computeMs + outputMs),
      fail: duration(stats.failed + stats.cancelled + stats.expired + stats.rejected, 0),
      queue: duration(queue.count, queueMs),
      compute_input: duration(count, inputMs),
      compute_infer: duration(count, computeMs),
      compute_output: duration(count, outputMs),
      cache_hit: zero,
      cache_miss: zero,
    },
    batch_stats: stats.sizes.map((size) => ({
      batch_size: size.rows,
      compute_input: duration(size.count, size.inputMs),
      compute_infer: duration(size.count, size.computeMs),
      compute_output: duration(size.count, size.outputMs),
    })),
  };
}
