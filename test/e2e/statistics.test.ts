/** @module Tests that `/v2/models/stats` and `/metrics` agree after a mixed load, over all threads and protocols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import {
  connect,
  fails,
  type GrpcClient,
  type Message,
} from '../services/inference/grpc-client.ts';
import { binary } from '../services/inference/support.ts';
import { sumOf } from '../support/metrics.ts';
import { RawClient } from '../support/raw-http.ts';
import { inModel, type Running, settled, start } from './support.ts';

const fixture = (name: string) => `test/fixtures/models/${name}.onnx`;
const MODELS = {
  f: { versions: { '1': fixture('identity-float32') } },
  poison: { versions: { '1': fixture('poison') } },
  slow: {
    config: { batching: { maxRows: 1, maxQueue: 3 }, instances: 1 },
    versions: { '1': fixture('slow-loop') },
  },
};

const INFER = '/v2/models/:model/infer';
const floats = Float32Array.of(1, 2, 3);
const f = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [...floats] }] };
const typed = (model_name: string) => ({
  model_name,
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], contents: { fp32_contents: [1, 2, 3] } }],
});
const turns = (ms: number) => ({
  inputs: [{ name: 'iterations', datatype: 'INT64', shape: [1, 1], data: [ms * 1000] }],
});

interface Responses {
  /** The number of HTTP responses that the client has received, by status. */
  readonly http: Record<number, number>;
  ask(model: string, body: unknown, headers?: Record<string, string>): Promise<number>;
}

function responseCounts(service: Running): Responses {
  const http: Record<number, number> = {};
  return {
    http,
    async ask(model, body, headers = {}) {
      const raw = typeof body === 'string' || body instanceof Uint8Array;
      const response = await fetch(`${service.url}/v2/models/${model}/infer`, {
        method: 'POST',
        headers,
        body: raw ? (body as string) : JSON.stringify(body),
      });
      await response.arrayBuffer();
      http[response.status] = (http[response.status] ?? 0) + 1;
      return response.status;
    },
  };
}

async function quickOnes({ ask }: Responses, grpc: GrpcClient): Promise<void> {
  const parameters = { binary_data_size: floats.byteLength };
  const packed = binary(
    { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], parameters }] },
    new Uint8Array(floats.buffer),
  );
  const all = Array.from({ length: 20 }, (_, i) => [
    ask('f', f),
    ask('f', packed.body, packed.headers),
    grpc.call('ModelInfer', typed('f')),
    i % 4 === 0 ? ask('f', '{') : undefined,
    i % 5 === 0 ? ask('f', { inputs: [{ ...f.inputs[0], shape: [3, 1] }] }) : undefined,
    i % 5 === 0 ? ask('no', f) : undefined,
    i % 10 === 0 ? fails(grpc.call('ModelInfer', typed('no')), status.NOT_FOUND) : undefined,
  ]);
  await Promise.all(all.flat());
  const poison = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [2000, 0] }];
  assert.equal(await ask('poison', { inputs: poison }), 400);
}

/** Requests that complete, expire, are cancelled by their client, and are rejected by a full queue. */
async function slowOnes({ ask }: Responses, service: Running): Promise<void> {
  const running = ask('slow', turns(1000));
  await inModel(service, 0, 1);
  const late = ask('slow', { ...turns(1), parameters: { timeout: 600_000 } });
  await inModel(service, 1, 1);
  const body = JSON.stringify(turns(1));
  const head = `POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}`;
  const gone = new RawClient(service.port);
  gone.send(`${head}\r\n\r\n${body}`);
  await inModel(service, 2, 1);
  const waiting = ask('slow', turns(1));
  await inModel(service, 3, 1);
  assert.equal(await ask('slow', turns(1)), 503);
  gone[Symbol.dispose]();
  assert.deepEqual(await Promise.all([running, late, waiting]), [200, 504, 200]);
}

for (const workers of [1, 2]) {
  test(`statistics and metrics agree with ${workers} HTTP threads`, async () => {
    const env = { SERVICE: 'inference', GRPC_PORT: '0', MAX_WORKERS: String(workers) };
    await using service = await start(env, MODELS);
    const { ports } = (await service.child.line('ready')) as { ports: { grpc: number } };
    const grpc = connect(ports.grpc);
    try {
      const responses = responseCounts(service);
      await quickOnes(responses, grpc);
      await slowOnes(responses, service);
      const page = await settled(service);
      const { model_stats } = (await (
        await fetch(`${service.url}/v2/models/stats`)
      ).json()) as Message;
      compare(page, model_stats);
      checkCounts(page, model_stats, workers);
      const { model_stats: overGrpc } = await grpc.call('ModelStatistics', {});
      for (const [i, { name, inference_count, inference_stats }] of overGrpc.entries()) {
        const { success, fail } = model_stats[i].inference_stats;
        assert.deepEqual(
          [name, inference_count, inference_stats.success.count, inference_stats.fail.count],
          [model_stats[i].name, model_stats[i].inference_count, success.count, fail.count].map(
            String,
          ),
        );
      }
      const http = { ...responses.http, 499: 1 };
      for (const [code, count] of Object.entries(http)) {
        const labels = { route: INFER, status: code };
        assert.equal(sumOf(page, 'http_requests_total', labels), count, code);
      }
      assert.equal(sumOf(page, 'grpc_requests_total', { method: 'ModelInfer', code: '0' }), 20);
      assert.equal(sumOf(page, 'grpc_requests_total', { method: 'ModelInfer', code: '5' }), 2);
    } finally {
      grpc.close();
    }
  });
}

/** Compares all numbers that both report, for every model. */
function compare(page: string, modelStats: Message): void {
  assert.deepEqual(modelStats.map(({ name }: Message) => name).sort(), Object.keys(MODELS).sort());
  for (const { name: model, inference_count, execution_count, ...stats } of modelStats) {
    const { success, fail, queue, compute_infer } = stats.inference_stats;
    const metric = (name: string) => sumOf(page, name, { model });
    const ended = (outcome: string) =>
      sumOf(page, 'millrace_model_requests_total', { model, outcome });
    assert.equal(inference_count, metric('millrace_model_batch_rows_total'), model);
    assert.equal(execution_count, metric('millrace_model_batches_total'), model);
    assert.equal(execution_count, metric('model_inference_duration_seconds_count'), model);
    assert.equal(success.count, ended('completed'), model);
    assert.equal(compute_infer.count, ended('completed'), model);
    const failures = ['failed', 'cancelled', 'expired', 'rejected'].map(ended);
    assert.equal(
      fail.count,
      failures.reduce((a, b) => a + b),
      model,
    );
    assert.equal(queue.count, metric('millrace_model_queue_duration_seconds_count'), model);
    const runs = stats.batch_stats.map((size: Message) => size.compute_infer.count);
    assert.equal(
      runs.reduce((a: number, b: number) => a + b),
      execution_count,
      model,
    );
    const rows = stats.batch_stats.map(
      (size: Message) => size.batch_size * size.compute_infer.count,
    );
    assert.equal(
      rows.reduce((a: number, b: number) => a + b),
      inference_count,
      model,
    );
  }
}

/** Checks that the counts are those of the requests that were sent and of one warm-up run per thread. */
function checkCounts(page: string, modelStats: Message, warmUps: number): void {
  const of = (model: string) => {
    const { success, fail } = modelStats.find(
      ({ name }: Message) => name === model,
    ).inference_stats;
    return [success.count - warmUps, fail.count];
  };
  assert.deepEqual(of('f'), [60, 0]);
  assert.deepEqual(of('poison'), [0, 1]);
  assert.deepEqual(of('slow'), [2, 3]);
  for (const outcome of ['cancelled', 'expired', 'rejected']) {
    assert.equal(
      sumOf(page, 'millrace_model_requests_total', { model: 'slow', outcome }),
      1,
      outcome,
    );
  }
}
