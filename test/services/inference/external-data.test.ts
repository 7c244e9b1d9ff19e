/** @module Tests weights in external files: changes take effect with a load or a poll, and not before. */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fixture, type Inference, inference } from './support.ts';

const files = { 'm/1/model.onnx': '=external-data/model' };

function put(service: { root: string }, weights: readonly number[]): void {
  const target = path.join(service.root, 'm/1/weights.bin');
  writeFileSync(`${target}.new`, new Uint8Array(Float32Array.from(weights).buffer));
  renameSync(`${target}.new`, target);
}

async function weightsOf(service: Inference): Promise<unknown> {
  const x = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [0, 0, 0, 0] };
  return (await service.post('/v2/models/m/infer', { inputs: [x] })).json.outputs[0].data;
}

test('new weights are served after a load, and not before', async () => {
  await using service = await inference(files, { modelControlMode: 'explicit' });
  put(service, [1, 2, 3, 4]);
  const load = () => service.post('/v2/repository/models/m/load', {});
  assert.equal((await load()).status, 200);
  assert.deepEqual(await weightsOf(service), [1, 2, 3, 4]);
  put(service, [5, 6, 7, 8]);
  assert.deepEqual(await weightsOf(service), [1, 2, 3, 4]);
  assert.equal((await load()).status, 200);
  assert.deepEqual(await weightsOf(service), [5, 6, 7, 8]);
});

test('a poll notices that weights have changed', async () => {
  await using service = await inference(
    {
      ...files,
      'm/1/weights.bin': readFileSync(
        path.join(path.dirname(fixture('external-data/model')), 'weights.bin'),
        'latin1',
      ),
    },
    { modelControlMode: 'poll', repositoryPollMs: 20 },
  );
  put(service, [5, 6, 7, 8]);
  const until = Date.now() + 10_000;
  for (;;) {
    const weights = await weightsOf(service);
    if (JSON.stringify(weights) === '[5,6,7,8]') break;
    assert.ok(Date.now() < until, `the weights are ${JSON.stringify(weights)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
