/** @module The metrics of models, from the engine's statistics of each loaded version. */

import type { CostPoint, ModelStats } from '../../native/index.ts';
import type { ModelVersion } from '../model.ts';
import { type AddMetric, type Labels, type Sample, spread } from './page.ts';

/** One number of a version. */
interface Single {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  value(stats: ModelStats): number;
}

const SINGLES: readonly Single[] = [
  {
    name: 'model_batches_total',
    type: 'counter',
    help: 'Batches run',
    value: ({ batches }) => batches,
  },
  {
    name: 'model_batch_rows_total',
    type: 'counter',
    help: 'Rows in the batches run',
    value: ({ rows }) => rows,
  },
  {
    name: 'model_queue_depth',
    type: 'gauge',
    help: 'Requests waiting for a batch',
    value: ({ queued }) => queued,
  },
  {
    name: 'model_running',
    type: 'gauge',
    help: 'Requests in a batch that runs',
    value: ({ running }) => running,
  },
  {
    name: 'model_stuck_lanes',
    type: 'gauge',
    help: 'Lanes whose run has passed its limit and not returned',
    value: ({ stuckLanes }) => stuckLanes,
  },
  {
    name: 'model_device_lost',
    type: 'gauge',
    help: '1 when the GPU is lost and the process has to be restarted',
    value: ({ deviceLost }) => (deviceLost ? 1 : 0),
  },
  {
    name: 'model_expected_wait_seconds',
    type: 'gauge',
    help: 'How long a request submitted now would wait, going by measured costs',
    value: ({ expectedWaitMs }) => expectedWaitMs / 1000,
  },
  {
    name: 'model_returning_clients_ratio',
    type: 'gauge',
    help: 'Share of answered clients that come straight back, as the batcher has learnt it',
    value: ({ returningShare }) => returningShare,
  },
  {
    name: 'model_arrivals_per_second',
    type: 'gauge',
    help: 'Requests a second over the last runs, as the batcher has learnt it',
    value: ({ arrivalsPerSecond }) => arrivalsPerSecond,
  },
  {
    name: 'model_batches_held_back_total',
    type: 'counter',
    help: 'Times an incomplete batch was held back for requests about to come',
    value: ({ heldBack }) => heldBack,
  },
  {
    name: 'model_inline_runs_total',
    type: 'counter',
    help: 'Runs made on an HTTP thread because that was quicker than a lane',
    value: ({ inlineRuns }) => inlineRuns,
  },
];

/** One version at the moment of a scrape. */
export interface Reading {
  readonly version: ModelVersion;
  readonly labels: Labels;
  readonly stats: ModelStats;
}

export function readModel(version: ModelVersion): Reading {
  const labels = { model: version.model, version: version.version };
  return { version, labels, stats: version.stats() };
}

/** How a request to a model may end. */
const OUTCOMES = ['completed', 'failed', 'cancelled', 'expired', 'rejected'] as const;

export function addModels(add: AddMetric, readings: () => readonly Reading[]): void {
  const each = (samples: (reading: Reading) => Sample[]) => () => readings().flatMap(samples);
  const histogram = (name: string, help: string, of: 'compute' | 'queue') =>
    add(
      name,
      'histogram',
      help,
      each(({ labels, stats }) => spread(name, labels, stats[of])),
    );
  const costs = (name: string, help: string, of: 'meanMs' | 'highMs') =>
    add(
      name,
      'gauge',
      help,
      each(({ labels, stats }) => stats.costs.map((cost) => costSample(labels, cost, of))),
    );

  histogram('model_inference_duration_seconds', 'Time a batch ran', 'compute');
  histogram('model_queue_duration_seconds', 'Time a request waited for its batch', 'queue');
  add(
    'model_requests_total',
    'counter',
    'Requests given to a model, by how they ended',
    each(({ labels, stats }) =>
      OUTCOMES.map((outcome) => ({ labels: { ...labels, outcome }, value: stats[outcome] })),
    ),
  );
  for (const { name, type, help, value } of SINGLES) {
    const sample = ({ labels, stats }: Reading) => [{ labels, value: value(stats) }];
    add(name, type, help, each(sample));
  }
  const size = 'of a batch of about so many rows';
  costs('model_batch_cost_mean_seconds', `Moving average of the run time ${size}`, 'meanMs');
  costs(
    'model_batch_cost_high_seconds',
    `Moving 95th percentile of the run time ${size}`,
    'highMs',
  );
  add(
    'model_info',
    'gauge',
    'Where a model runs; fallback is 1 when it is not the device asked for',
    each(({ labels, version }) => {
      const { device, fallback } = version.device;
      return [{ labels: { ...labels, device, fallback: fallback === '' ? '0' : '1' }, value: 1 }];
    }),
  );
  add(
    'model_nodes',
    'gauge',
    'Nodes of a model on a GPU, by the provider that runs them',
    each(({ labels, version }) => {
      const providers = version.device.nodes.map((node) => node.provider);
      return [...new Set(providers)].map((provider) => ({
        labels: { ...labels, provider },
        value: providers.filter((other) => other === provider).length,
      }));
    }),
  );
  add(
    'model_buckets',
    'gauge',
    'Shapes that a GPU is prepared for; graph is 1 where it replays a recorded graph',
    each(({ labels, version }) =>
      [true, false].flatMap((graph) => {
        const value = version.device.buckets.filter((bucket) => bucket.graph === graph).length;
        return value === 0 ? [] : [{ labels: { ...labels, graph: graph ? '1' : '0' }, value }];
      }),
    ),
  );
}

/** Where a model declares axes, a cost is that of batches of these lengths: `lengths="tokens=64"`. */
function costSample(labels: Labels, cost: CostPoint, of: 'meanMs' | 'highMs'): Sample {
  const lengths = Object.entries(cost.lengths ?? {}).map(([axis, length]) => `${axis}=${length}`);
  const shape = lengths.length === 0 ? {} : { lengths: lengths.join(',') };
  // Sizes are measured by powers of two, within which their average moves: it would be a new series each time.
  const rows = String(2 ** Math.ceil(Math.log2(cost.rows)));
  return { labels: { ...labels, ...shape, rows }, value: cost[of] / 1000 };
}
