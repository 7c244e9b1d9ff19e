/** @module Cases for Triton's other extensions: configuration, statistics, repository, classification, parameters, compression. */

import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { type Case, define, expect, expectRefused } from '../case.ts';
import type { Server } from '../server.ts';

const c = define('', 'triton');

const isDuration = (value: unknown): boolean => {
  const { count, ns } = (value ?? {}) as { count?: unknown; ns?: unknown };
  return Number.isInteger(count) && Number.isInteger(ns);
};

/** The statistics of the model, summed over its versions. */
async function counted(server: Server): Promise<number> {
  const { json } = await server.get(server.path('/stats'));
  const stats = json?.model_stats as { inference_stats: { success: { count: number } } }[];
  return stats.reduce((sum, each) => sum + each.inference_stats.success.count, 0);
}

export const extensionCases: readonly Case[] = [
  c('config/model', 'GET …/config returns the configuration', async (server) => {
    const answer = await server.get(server.path('/config'));
    expect(answer.status === 200 && answer.json?.name === server.model.name, 'the name', answer);
  }),
  c('config/batch-size', 'max_batch_size is a whole number', async (server) => {
    const answer = await server.get(server.path('/config'));
    expect(Number.isInteger(answer.json?.max_batch_size), '"max_batch_size"', answer);
  }),
  c(
    'config/tensors',
    'inputs and outputs are described as TYPE_…, without the batch',
    async (server) => {
      const answer = await server.get(server.path('/config'));
      const { input, output, max_batch_size } = answer.json ?? {};
      const less = max_batch_size > 0 ? 1 : 0;
      for (const [index, { name, shape }] of server.model.inputs.entries()) {
        const own = input?.find((each: { name: string }) => each.name === name) ?? input?.[index];
        expect(/^TYPE_/.test(own?.data_type), `data_type of ${name}`, answer);
        expect(own.dims.length === shape.length - less, `dims of ${name}`, answer);
      }
      expect(output?.length === server.model.outputs.length, 'every output', answer);
    },
  ),
  c('config/version', 'GET …/versions/{version}/config returns it too', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const answer = await server.get(server.path(`/versions/${version}/config`));
    expect(answer.status === 200, '200', answer);
  }),
  c('config/unknown-model', 'the configuration of an unknown model is refused', async (server) => {
    expectRefused(await server.get('/v2/models/no-such-model/config'));
  }),
  c('stats/model', 'GET …/stats returns model_stats', async (server) => {
    const answer = await server.get(server.path('/stats'));
    expect(answer.json?.model_stats?.[0]?.name === server.model.name, 'the name', answer);
  }),
  c('stats/all', 'GET /v2/models/stats covers every model', async (server) => {
    const answer = await server.get('/v2/models/stats');
    const names = answer.json?.model_stats?.map(({ name }: { name: string }) => name) ?? [];
    expect(names.includes(server.model.name), `"${server.model.name}" in it`, answer);
  }),
  c('stats/counts', 'inference_count and execution_count are whole numbers', async (server) => {
    const answer = await server.get(server.path('/stats'));
    for (const { inference_count, execution_count } of answer.json.model_stats) {
      expect(
        Number.isInteger(inference_count) && Number.isInteger(execution_count),
        'counts',
        answer,
      );
    }
  }),
  ...['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'].map((name) =>
    c(`stats/${name}`, `${name} is told by count and ns`, async (server) => {
      const answer = await server.get(server.path('/stats'));
      for (const { inference_stats } of answer.json.model_stats) {
        expect(isDuration(inference_stats?.[name]), `${name}: {"count", "ns"}`, answer);
      }
    }),
  ),
  c('stats/grow', 'a request counts as one success', async (server) => {
    const before = await counted(server);
    await server.infer({ inputs: server.inputs() });
    const after = await counted(server);
    // Other clients may use the same server at the same time.
    expect(after > before, `more than ${before}, got ${after}`);
  }),
  c('stats/unknown-model', 'statistics of an unknown model are refused', async (server) => {
    expectRefused(await server.get('/v2/models/no-such-model/stats'));
  }),
  c('repository/index', 'POST /v2/repository/index lists the model as READY', async (server) => {
    const answer = await server.post('/v2/repository/index', '');
    const own = answer.json?.find?.((each: { name: string }) => each.name === server.model.name);
    expect(own?.state === 'READY', `"${server.model.name}": READY`, answer);
  }),
  c(
    'repository/index-ready',
    'with {"ready": true} it lists what is ready alone',
    async (server) => {
      const answer = await server.post('/v2/repository/index', { ready: true });
      const states = answer.json?.map?.(({ state }: { state: string }) => state) ?? ['none'];
      expect(
        states.every((state: string) => state === 'READY'),
        'READY alone',
        answer,
      );
    },
  ),
  c('repository/index-wrong', 'a ready that is no boolean is refused', async (server) => {
    expectRefused(await server.post('/v2/repository/index', { ready: 'yes' }));
  }),
  c('repository/load-unknown', 'an unknown model is not loaded', async (server) => {
    const answer = await server.post('/v2/repository/models/no-such-model/load', '');
    expect(answer.status >= 400, 'an error', answer);
    expect(typeof answer.json?.error === 'string', '{"error": "<message>"}', answer);
  }),
  c(
    'repository/load',
    'loading a loaded model returns 200, or an error that loading is not allowed',
    async (server) => {
      const answer = await server.post(`/v2/repository/models/${server.model.name}/load`, '');
      if (answer.status === 503) return 'the server’s models are fixed';
      expect(answer.status === 200, '200', answer);
      const ready = await server.get(server.path('/ready'));
      expect(ready.status === 200, 'ready afterwards', ready);
    },
  ),
  c('classification/top', 'classification returns strings, highest first', async (server) => {
    const output = server.model.outputs.find(({ datatype }) =>
      /^(FP32|FP64|INT32)$/.test(datatype),
    );
    if (output === undefined) return 'no output has scores';
    const outputs = [{ name: output.name, parameters: { classification: 2 } }];
    const answer = await server.infer({ inputs: server.inputs(), outputs });
    expect(answer.json?.outputs?.[0]?.datatype === 'BYTES', 'BYTES', answer);
    for (const text of answer.json.outputs[0].data) {
      expect(/^-?[\d.einfa+-]+:\d+/i.test(text), '"score:index"', answer);
    }
  }),
  c('parameters/priority', 'priority 0 is the default level', async (server) => {
    const answer = await server.infer({ inputs: server.inputs(), parameters: { priority: 0 } });
    expect(answer.status === 200, '200', answer);
  }),
  c('parameters/timeout', 'a timeout in microseconds is taken', async (server) => {
    const parameters = { timeout: 30_000_000 };
    const answer = await server.infer({ inputs: server.inputs(), parameters });
    expect(answer.status === 200, '200', answer);
  }),
  c('parameters/reserved', 'parameters named triton_… are refused', async (server) => {
    expectRefused(await server.infer({ inputs: server.inputs(), parameters: { triton_x: 1 } }));
  }),
  ...(['gzip', 'deflate'] as const).map((coding) =>
    c(`packing/${coding}-in`, `a body in ${coding} is unpacked`, async (server) => {
      const text = JSON.stringify({ inputs: server.inputs() });
      const packed = coding === 'gzip' ? gzipSync(text) : deflateSync(text);
      const headers = { 'Content-Encoding': coding };
      const answer = await server.infer(new Uint8Array(packed), headers);
      expect(answer.status === 200, '200', answer);
    }),
  ),
  c(
    'packing/out',
    'a response is compressed if Accept-Encoding allows it, or left as it is',
    async (server) => {
      const headers = { 'Accept-Encoding': 'gzip' };
      const answer = await server.infer({ inputs: server.inputs() }, headers);
      expect(answer.status === 200, '200', answer);
      // fetch decompresses the body itself; a client that does not would get gzip.
      const packed = answer.bytes[0] === 0x1f && answer.bytes[1] === 0x8b;
      const text = packed ? gunzipSync(answer.bytes).toString() : answer.text;
      expect(text.includes('"outputs"'), 'outputs', answer);
    },
  ),
  c('packing/unknown', 'a body in an unknown coding is refused', async (server) => {
    const headers = { 'Content-Encoding': 'compress' };
    const answer = await server.infer({ inputs: server.inputs() }, headers);
    expect(answer.status >= 400, 'an error', answer);
  }),
  c('packing/garbage', 'a body that is no gzip is refused', async (server) => {
    const headers = { 'Content-Encoding': 'gzip' };
    expectRefused(await server.infer(JSON.stringify({ inputs: server.inputs() }), headers));
  }),
];
