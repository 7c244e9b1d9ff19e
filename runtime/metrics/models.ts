/** @module The metrics of models, from the engine's statistics of each loaded version. */

import type { CostPoint, GeneratorStats, ModelStats } from '../../native/index.ts';
import type { ModelVersion } from '../model.ts';
import { histogramSamples } from './counted.ts';
import type { Labels, MetricHead, Sample } from './text-format.ts';

/** One version at the moment of a scrape. */
export interface Reading {
  readonly version: ModelVersion;
  readonly labels: Labels;
  readonly stats: ModelStats;
}

/** A metric with samples for each version. */
export interface ModelMetric extends MetricHead {
  samples(reading: Reading): Sample[];
}

export function readModel(version: ModelVersion): Reading {
  const labels = { model: version.model, version: version.version };
  return { version, labels, stats: version.stats() };
}

/** How a request to a model may end. */
const OUTCOMES = ['completed', 'failed', 'cancelled', 'expired', 'rejected'] as const;

export const modelMetrics: readonly ModelMetric[] = [
  {
    // Without the prefix, because dashboards of the platform that this one replaces read it.
    name: 'model_inference_duration_seconds',
    type: 'histogram',
    help: 'Time that a batch ran',
    samples: ({ labels, stats }) => histogramSamples(labels, stats.compute),
  },
  {
    ...head('queue_duration_seconds', 'histogram', 'Time that a request waited for its batch'),
    samples: ({ labels, stats }) => histogramSamples(labels, stats.queue),
  },
  {
    ...head('requests_total', 'counter', 'Requests to a model, by how they ended'),
    samples: ({ labels, stats }) =>
      OUTCOMES.map((outcome) => ({ labels: { ...labels, outcome }, value: stats[outcome] })),
  },
  counter('batches_total', 'Batches that have run', ({ batches }) => batches),
  counter('batch_rows_total', 'Rows in the batches that have run', ({ rows }) => rows),
  gauge('queue_depth', 'Requests that wait for a batch', ({ queued }) => queued),
  gauge('running', 'Requests in batches that are running', ({ running }) => running),
  gauge(
    'stuck_instances',
    'Instances whose run has passed run_limit_ms and has not returned',
    ({ stuckInstances }) => stuckInstances,
  ),
  gauge(
    'device_lost',
    'Whether the GPU is lost, so that the process has to be restarted',
    ({ deviceLost }) => (deviceLost ? 1 : 0),
  ),
  gauge(
    'expected_wait_seconds',
    'How long a request submitted now would wait, by the measured costs of batches',
    ({ expectedWaitMs }) => expectedWaitMs / 1000,
  ),
  gauge(
    'returning_clients_ratio',
    'Share of clients that send their next request as soon as they have a response',
    ({ returningShare }) => returningShare,
  ),
  gauge(
    'arrivals_per_second',
    'Rate at which requests arrive, over the last runs',
    ({ arrivalsPerSecond }) => arrivalsPerSecond,
  ),
  counter(
    'batches_held_back_total',
    'Times that an incomplete batch was held back for requests that were about to arrive',
    ({ heldBack }) => heldBack,
  ),
  counter(
    'inline_runs_total',
    'Runs made on an HTTP thread, because that was faster than to hand them to an instance',
    ({ inlineRuns }) => inlineRuns,
  ),
  {
    ...head('tokens_total', 'counter', 'Tokens of a model that generates text, by their kind'),
    samples: generation(({ tokens, promptTokens }) => ({
      kind: { generated: tokens, prompt: promptTokens },
    })),
  },
  {
    ...head('kv_cache_bytes', 'gauge', 'Memory for keys and values of generations'),
    samples: generation(({ cacheBytes, cacheBytesPeak, cacheBytesLimit }) => ({
      state: { reserved: cacheBytes, peak: cacheBytesPeak, limit: cacheBytesLimit },
    })),
  },
  {
    ...head('kv_cache_copied_bytes_total', 'counter', 'Keys and values copied between steps'),
    samples: generation(({ copiedBytes }) => copiedBytes),
  },
  cost('batch_cost_mean_seconds', 'Moving average of the run time of a batch, by rows', 'meanMs'),
  cost(
    'batch_cost_high_seconds',
    'Moving 95th percentile of the run time of a batch, by rows',
    'highMs',
  ),
  {
    ...head('info', 'gauge', 'The device of a model; fallback="1" where another was asked for'),
    samples({ labels, version }) {
      const { device, fallback } = version.device;
      return [{ labels: { ...labels, device, fallback: fallback === '' ? '0' : '1' }, value: 1 }];
    },
  },
  {
    ...head('nodes', 'gauge', 'Nodes of a model on a GPU, by the execution provider'),
    samples({ labels, version }) {
      const providers = version.device.nodes.map((node) => node.provider);
      return [...new Set(providers)].map((provider) => ({
        labels: { ...labels, provider },
        value: providers.filter((other) => other === provider).length,
      }));
    },
  },
  {
    ...head('device_shapes', 'gauge', 'Shapes prepared on a GPU; graph="1" where it is recorded'),
    samples: ({ labels, version }) =>
      [true, false].flatMap((graph) => {
        const value = version.device.shapes.filter((shape) => shape.graph === graph).length;
        return value === 0 ? [] : [{ labels: { ...labels, graph: graph ? '1' : '0' }, value }];
      }),
  },
];

function head(name: string, type: MetricHead['type'], help: string): MetricHead {
  return { name: `millrace_model_${name}`, type, help };
}

function counter(name: string, help: string, value: (stats: ModelStats) => number): ModelMetric {
  const samples = ({ labels, stats }: Reading) => [{ labels, value: value(stats) }];
  return { ...head(name, 'counter', help), samples };
}

function gauge(name: string, help: string, value: (stats: ModelStats) => number): ModelMetric {
  return { ...counter(name, help, value), type: 'gauge' };
}

/** The samples of models that generate text: one value, or one for each value of a label. */
function generation(
  read: (
    stats: GeneratorStats,
  ) => number | Readonly<Record<string, Readonly<Record<string, number>>>>,
): ModelMetric['samples'] {
  return ({ labels, stats }) => {
    if (!generates(stats)) return [];
    const found = read(stats);
    if (typeof found === 'number') return [{ labels, value: found }];
    return Object.entries(found).flatMap(([label, values]) =>
      Object.entries(values).map(([name, value]) => ({
        labels: { ...labels, [label]: name },
        value,
      })),
    );
  };
}

const generates = (stats: ModelStats): stats is GeneratorStats => 'promptTokens' in stats;

function cost(name: string, help: string, of: 'meanMs' | 'highMs'): ModelMetric {
  const samples = ({ labels, stats }: Reading) =>
    stats.costs.map((point) => costSample(labels, point, of));
  return { ...head(name, 'gauge', help), samples };
}

/** If a model declares axes, a cost is that of batches of these lengths: `lengths="tokens=64"`. */
function costSample(labels: Labels, { rows, ...point }: CostPoint, of: 'meanMs' | 'highMs') {
  const lengths = Object.entries(point.lengths ?? {}).map(([axis, length]) => `${axis}=${length}`);
  const shape: Labels = lengths.length === 0 ? {} : { lengths: lengths.join(',') };
  // A cost is that of a range of rows up to a power of two. The mean of the rows moves within it, and
  // would be a new series each time.
  const upTo = String(2 ** Math.ceil(Math.log2(rows)));
  return { labels: { ...labels, ...shape, rows: upTo }, value: point[of] / 1000 };
}
