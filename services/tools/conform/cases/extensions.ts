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
    const response = await server.get(server.path('/config'));
    expect(
      response.status === 200 && response.json?.name === server.model.name,
      'the name',
      response,
    );
  }),
  c('config/batch-size', 'max_batch_size is a whole number', async (server) => {
    const response = await server.get(server.path('/config'));
    expect(Number.isInteger(response.json?.max_batch_size), '"max_batch_size"', response);
  }),
  c(
    'config/tensors',
    'inputs and outputs have types named TYPE_…, and dims without the batch dimension',
    async (server) => {
      const response = await server.get(server.path('/config'));
      const { input, output, max_batch_size } = response.json ?? {};
      const less = max_batch_size > 0 ? 1 : 0;
      for (const [index, { name, shape }] of server.model.inputs.entries()) {
        const own = input?.find((each: { name: string }) => each.name === name) ?? input?.[index];
        expect(/^TYPE_/.test(own?.data_type), `data_type of ${name}`, response);
        expect(own.dims.length === shape.length - less, `dims of ${name}`, response);
      }
      expect(output?.length === server.model.outputs.length, 'every output', response);
    },
  ),
  c(
    'config/version',
    'GET …/versions/{version}/config returns the configuration',
    async (server) => {
      const [version] = server.model.versions ?? [];
      if (version === undefined) return 'the model names no versions';
      const response = await server.get(server.path(`/versions/${version}/config`));
      expect(response.status === 200, '200', response);
    },
  ),
  c('config/unknown-model', 'the configuration of an unknown model is refused', async (server) => {
    expectRefused(await server.get('/v2/models/no-such-model/config'));
  }),
  c('stats/model', 'GET …/stats returns model_stats', async (server) => {
    const response = await server.get(server.path('/stats'));
    expect(response.json?.model_stats?.[0]?.name === server.model.name, 'the name', response);
  }),
  c('stats/all', 'GET /v2/models/stats covers every model', async (server) => {
    const response = await server.get('/v2/models/stats');
    const names = response.json?.model_stats?.map(({ name }: { name: string }) => name) ?? [];
    expect(names.includes(server.model.name), `"${server.model.name}" in it`, response);
  }),
  c('stats/counts', 'inference_count and execution_count are whole numbers', async (server) => {
    const response = await server.get(server.path('/stats'));
    for (const { inference_count, execution_count } of response.json.model_stats) {
      expect(
        Number.isInteger(inference_count) && Number.isInteger(execution_count),
        'counts',
        response,
      );
    }
  }),
  ...['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'].map((name) =>
    c(`stats/${name}`, `${name} has count and ns`, async (server) => {
      const response = await server.get(server.path('/stats'));
      for (const { inference_stats } of response.json.model_stats) {
        expect(isDuration(inference_stats?.[name]), `${name}: {"count", "ns"}`, response);
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
    const response = await server.post('/v2/repository/index', '');
    const own = response.json?.find?.((each: { name: string }) => each.name === server.model.name);
    expect(own?.state === 'READY', `"${server.model.name}": READY`, response);
  }),
  c(
    'repository/index-ready',
    'with {"ready": true} it lists only models that are ready',
    async (server) => {
      const response = await server.post('/v2/repository/index', { ready: true });
      const states = response.json?.map?.(({ state }: { state: string }) => state) ?? ['no list'];
      expect(
        states.every((state: string) => state === 'READY'),
        'only READY',
        response,
      );
    },
  ),
  c('repository/index-wrong', 'a ready that is not a boolean is refused', async (server) => {
    expectRefused(await server.post('/v2/repository/index', { ready: 'yes' }));
  }),
  c('repository/load-unknown', 'loading an unknown model gets an error', async (server) => {
    const response = await server.post('/v2/repository/models/no-such-model/load', '');
    expect(response.status >= 400, 'an error', response);
    expect(typeof response.json?.error === 'string', '{"error": "<message>"}', response);
  }),
  c(
    'repository/load',
    'loading a loaded model returns 200, or an error that loading is not allowed',
    async (server) => {
      const response = await server.post(`/v2/repository/models/${server.model.name}/load`, '');
      if (response.status === 503) return 'the server does not allow loading';
      expect(response.status === 200, '200', response);
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
    const response = await server.infer({ inputs: server.inputs(), outputs });
    expect(response.json?.outputs?.[0]?.datatype === 'BYTES', 'BYTES', response);
    for (const entry of response.json.outputs[0].data) {
      expect(/^-?[\d.einfa+-]+:\d+/i.test(entry), '"score:index"', response);
    }
  }),
  c('parameters/priority', 'priority 0 is the default level', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), parameters: { priority: 0 } });
    expect(response.status === 200, '200', response);
  }),
  c('parameters/timeout', 'a timeout in microseconds is accepted', async (server) => {
    const parameters = { timeout: 30_000_000 };
    const response = await server.infer({ inputs: server.inputs(), parameters });
    expect(response.status === 200, '200', response);
  }),
  c('parameters/reserved', 'parameters named triton_… are refused', async (server) => {
    expectRefused(await server.infer({ inputs: server.inputs(), parameters: { triton_x: 1 } }));
  }),
  ...(['gzip', 'deflate'] as const).map((coding) =>
    c(`packing/${coding}-in`, `a body in ${coding} is decompressed`, async (server) => {
      const text = JSON.stringify({ inputs: server.inputs() });
      const packed = coding === 'gzip' ? gzipSync(text) : deflateSync(text);
      const headers = { 'Content-Encoding': coding };
      const response = await server.infer(new Uint8Array(packed), headers);
      expect(response.status === 200, '200', response);
    }),
  ),
  c(
    'packing/out',
    'a response is compressed if Accept-Encoding allows it, or left as it is',
    async (server) => {
      const headers = { 'Accept-Encoding': 'gzip' };
      const response = await server.infer({ inputs: server.inputs() }, headers);
      expect(response.status === 200, '200', response);
      // fetch decompresses the body itself; a client that does not would get gzip.
      const packed = response.bytes[0] === 0x1f && response.bytes[1] === 0x8b;
      const text = packed ? gunzipSync(response.bytes).toString() : response.text;
      expect(text.includes('"outputs"'), 'outputs', response);
    },
  ),
  c('packing/unknown', 'a body in an unknown coding is refused', async (server) => {
    const headers = { 'Content-Encoding': 'compress' };
    const response = await server.infer({ inputs: server.inputs() }, headers);
    expect(response.status >= 400, 'an error', response);
  }),
  c('packing/garbage', 'a body that is not gzip data is refused', async (server) => {
    const headers = { 'Content-Encoding': 'gzip' };
    expectRefused(await server.infer(JSON.stringify({ inputs: server.inputs() }), headers));
  }),
];
