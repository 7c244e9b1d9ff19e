/** @module Tests that `/v2/…/stats` and `/metrics` report the same numbers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sumOf } from '../../support/metrics.ts';
import { until } from '../../support/until.ts';
import { binary, type Inference, inference } from './support.ts';

const float = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

function inBinary(server: Inference, rows: number) {
  const input = { name: 'x', datatype: 'FP32', shape: [rows, 2] };
  const data = float(...new Array<number>(rows * 2).fill(1));
  const parameters = { binary_data_size: data.length };
  const { body, headers } = binary({ inputs: [{ ...input, parameters }] }, data);
  return server.post('/v2/models/m/infer', body, headers);
}

function inJson(server: Inference, value: number) {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [value, 0] }];
  return server.post('/v2/models/m/infer', { inputs });
}

/** The numbers of the model that both report. */
async function reported(server: Inference) {
  const [stats] = (await server.get('/v2/models/m/stats')).json.model_stats;
  const { text } = await server.get('/metrics');
  const of = (name: string, labels = {}) => sumOf(text, name, { model: 'm', ...labels });
  const outcome = (name: string) => of('millrace_model_requests_total', { outcome: name });
  const { success, fail, queue } = stats.inference_stats;
  const batches: { compute_infer: { count: number; ns: number } }[] = stats.batch_stats;
  const sum = (key: 'count' | 'ns') =>
    batches.reduce((total, { compute_infer }) => total + compute_infer[key], 0);
  return {
    stats: {
      rows: stats.inference_count,
      runs: stats.execution_count,
      succeeded: success.count,
      failed: fail.count,
      waited: queue.count,
      waitedMs: Math.round(queue.ns / 1e6),
      ran: sum('count'),
      ranMs: Math.round(sum('ns') / 1e6),
    },
    metrics: {
      rows: of('millrace_model_batch_rows_total'),
      runs: of('millrace_model_batches_total'),
      succeeded: outcome('completed'),
      failed: outcome('failed') + outcome('cancelled') + outcome('expired'),
      waited: of('millrace_model_queue_duration_seconds_count'),
      waitedMs: Math.round(of('millrace_model_queue_duration_seconds_sum') * 1000),
      ran: of('model_inference_duration_seconds_count'),
      ranMs: Math.round(of('model_inference_duration_seconds_sum') * 1000),
    },
    left: of('millrace_model_queue_depth') + of('millrace_model_running'),
  };
}

describe('statistics and metrics', () => {
  test('agree on successes and failures, in JSON and binary, with one row and with more than a batch', async () => {
    await using server = await inference({ 'm/1/model.onnx': '=poison' });
    const before = await reported(server);
    const responses = await Promise.all([
      ...Array.from({ length: 20 }, () => inBinary(server, 1)),
      ...Array.from({ length: 20 }, () => inJson(server, 1)),
      // The model fails only on these.
      ...Array.from({ length: 5 }, () => inJson(server, 2000)),
      inBinary(server, 300),
    ]);
    const statuses = responses.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 41);
    await until(async () => (await reported(server)).left === 0, 'no request is queued or running');
    const { stats, metrics } = await reported(server);
    assert.deepEqual(stats, metrics);
    assert.equal(stats.failed - before.stats.failed, 5);
    assert.ok(stats.succeeded - before.stats.succeeded >= 41);
    assert.ok(stats.rows - before.stats.rows >= 340);
  });
});
