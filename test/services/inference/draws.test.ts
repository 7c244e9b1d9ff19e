/** @module Tests that the traffic split draws once per infer request, and not for other requests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { prediction } from '../../../services/prediction/index.ts';
import { withClient } from './grpc-client.ts';
import { inference } from './support.ts';

const traffic = JSON.stringify({ traffic: { '1': 50, '2': 50 } });

/** Two versions whose inputs have different types. The same JSON fits both, but a prepared tensor fits only one. */
const types = {
  'm/1/model.onnx': '=identity-float32',
  'm/2/model.onnx': '=identity-int32',
  'm/model.json': traffic,
};

/** Two versions with inputs of the same type, for requests that name a datatype. */
const shapes = {
  'm/1/model.onnx': '=identity-float32',
  'm/2/model.onnx': '=dynamic-axes',
  'm/model.json': traffic,
};

const MANY = 40;

/** Draws the two versions in turn, and counts the draws. */
class Draws {
  count = 0;
  readonly random = () => {
    this.count += 1;
    return this.count % 2 === 0 ? 0.75 : 0.25;
  };
}

describe('a split between two versions', () => {
  const json = { 'Content-Type': 'application/json' };
  const bytes = new Uint8Array(12);
  for (const [route, body, headers] of [
    ['/predict', { features: [1, 2, 3] }, json],
    ['/v2/models/m/generate', { x: [1, 2, 3] }, {}],
    ['/v2/models/m/generate_stream', { x: [1, 2, 3] }, {}],
    ['/v2/models/m/infer', bytes, { 'Inference-Header-Content-Length': '0' }],
  ] as const) {
    test(`${route} draws once and prepares the request for that version`, async () => {
      const draws = new Draws();
      const { random } = draws;
      await using server = await inference(types, {}, { service: prediction, random });
      const versions: unknown[] = [];
      for (let i = 0; i < MANY; i += 1) {
        const { status, text } = await server.post(route, body, headers);
        assert.equal(status, 200, text);
        versions.push(/"model_version":"(\d)"/.exec(text)?.[1]);
      }
      assert.equal(draws.count, MANY);
      assert.deepEqual(
        versions,
        Array.from({ length: MANY }, (_, i) => String(1 + (i % 2))),
      );
    });
  }

  test('the infer route and gRPC draw once', async () => {
    const draws = new Draws();
    const { random } = draws;
    await withClient(
      shapes,
      async (client, server) => {
        const data = [1, 2, 3];
        const tensor = { name: 'x', datatype: 'FP32', shape: [1, 3] };
        for (let i = 0; i < MANY; i += 1) {
          const inputs = [{ ...tensor, data }];
          const { status, text } = await server.post('/v2/models/m/infer', { inputs });
          assert.equal(status, 200, text);
          const response = await client.call('ModelInfer', {
            model_name: 'm',
            inputs: [{ ...tensor, contents: { fp32_contents: data } }],
          });
          assert.equal(response.model_version, '2');
        }
        assert.equal(draws.count, 2 * MANY);
      },
      {},
      { random },
    );
  });

  test('metadata, configuration, readiness and statistics do not draw', async () => {
    const draws = new Draws();
    const { random } = draws;
    await withClient(
      shapes,
      async (client, server) => {
        for (const action of ['', '/config', '/ready', '/stats']) {
          assert.equal((await server.get(`/v2/models/m${action}`)).status, 200);
          assert.equal((await server.get(`/v2/models/m/versions/2${action}`)).status, 200);
        }
        for (const path of ['/v2/models', '/v2/models/stats', '/v2/health/ready', '/ready']) {
          assert.equal((await server.get(path)).status, 200);
        }
        for (const method of ['ModelMetadata', 'ModelConfig', 'ModelReady', 'ModelStatistics']) {
          await client.call(method, { name: 'm' });
        }
        assert.equal(draws.count, 0);
      },
      {},
      { random },
    );
  });
});
