/** @module Tests repositories in every layout, and loading, unloading and polling of models. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type Config, ServeError } from '../../../runtime/index.ts';
import { until } from '../../support/until.ts';
import { fixture, inference } from './support.ts';

const x = (data = [1, 2, 3]) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data }],
});
const explicit: Partial<Config> = { modelControlMode: 'explicit', loadModels: ['*'] };
const names = (entries: { name: string }[]) => entries.map(({ name }) => name);

describe('layouts of repositories', () => {
  const files = {
    'ours/v1.0/model.onnx': '=identity-float32',
    'ours/model.json': '{}',
    'triton/1/model.onnx': '=identity-float32',
    'triton/config.pbtxt': 'platform: "onnxruntime_onnx" max_batch_size: 8',
    'face/config.json': '{"id2label":{"0":"NEGATIVE","1":"POSITIVE"}}',
    'face/onnx/model.onnx': '=identity-float32',
    'face/onnx/model_quantized.onnx': '=identity-float32',
    'parts/config.json': '{}',
    'parts/onnx/encoder_model.onnx': '=identity-float32',
    'parts/onnx/decoder_model.onnx': '=identity-float32',
    'parts/onnx/decoder_model_int8.onnx': '=identity-float32',
    'folder/model.onnx': '=identity-float32',
    'bare.onnx': '=identity-float32',
    'notes/README.md': 'no model',
    '.hidden/1/model.onnx': '=identity-float32',
  };
  const all = [
    'bare',
    'face',
    'folder',
    'ours',
    'parts.decoder_model',
    'parts.encoder_model',
    'triton',
  ];

  test('of this project, Triton, Hugging Face and bare files may be mixed', async () => {
    await using server = await inference(files);
    const { json } = await server.get('/v2/models');
    assert.deepEqual(json.models, all);
    for (const name of all) {
      const { status, text } = await server.post(`/v2/models/${name}/infer`, x());
      assert.equal(status, 200, text);
    }
    assert.equal((await server.get('/v2/health/ready')).status, 200);
  });

  test('give each model its name', async () => {
    await using server = await inference(files, { modelControlMode: 'explicit' });
    const load = async (name: string) =>
      (await server.post(`/v2/repository/models/${name}/load`, '')).status;
    for (const name of all) assert.equal(await load(name), 200, name);
    for (const name of ['parts', 'notes', '.hidden', 'bare.onnx', 'fac', 'face.x']) {
      assert.equal(await load(name), 404, name);
    }
  });
});

describe('config.pbtxt', () => {
  const versions = {
    'm/1/model.onnx': '=identity-float32',
    'm/2/model.onnx': '=identity-float32',
    'm/10/model.onnx': '=identity-float32',
    'm/old/model.onnx': '=identity-float32',
  };
  const served = async (config: string) => {
    await using server = await inference({ ...versions, 'm/config.pbtxt': config });
    return (await server.get('/v2/models/m')).json.versions;
  };

  test('selects the newest version, or those of its version_policy', async () => {
    assert.deepEqual(await served(''), ['10']);
    assert.deepEqual(await served('version_policy: { latest { num_versions: 2 } }'), ['2', '10']);
    assert.deepEqual(await served('version_policy { all {} }'), ['1', '2', '10']);
    assert.deepEqual(await served('version_policy { specific { versions: [1, 10] } }'), [
      '1',
      '10',
    ]);
  });

  test('is returned with missing fields completed', async () => {
    const config = `
      name: "m"
      backend: "onnxruntime"
      max_batch_size: 16
      dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
      instance_group [ { count: 2 kind: KIND_CPU } ]
      parameters { key: "intra_op_thread_count" value: { string_value: "1" } }`;
    await using server = await inference({ ...versions, 'm/config.pbtxt': config });
    const { json } = await server.get('/v2/models/m/config');
    assert.equal(json.max_batch_size, 16);
    assert.deepEqual(json.dynamic_batching, {
      preferred_batch_size: [4, 8],
      max_queue_delay_microseconds: 100,
    });
    assert.deepEqual(json.instance_group, [{ count: 2, kind: 'KIND_CPU' }]);
    assert.deepEqual(json.input, [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }]);
  });

  test('limits the rows of a run by max_batch_size', async () => {
    const config = 'max_batch_size: 2';
    await using server = await inference({ ...versions, 'm/config.pbtxt': config });
    assert.equal((await server.get('/v2/models/m/config')).json.max_batch_size, 2);
  });

  const refused: Readonly<Record<string, readonly [string, RegExp]>> = {
    'another name': ['name: "other"', /names the model other/],
    'another backend': ['backend: "pytorch"', /backend pytorch; only ONNX/],
    sequences: ['sequence_batching { }', /sequence_batching .* not supported/],
    'an ensemble': ['platform: "ensemble" ensemble_scheduling { }', /only ONNX|not supported/],
    'several responses per request': ['model_transaction_policy { decoupled: true }', /decoupled/],
    'a path that leads out of the folder': [
      'default_model_filename: "../../x.onnx"',
      /must be the name of a file/,
    ],
    'a label file that does not exist': [
      'output { name: "y" label_filename: "no.txt" }',
      /no\.txt .* cannot be read/,
    ],
    'a typing error': ['max_batch_sise: 8', /line 1: ModelConfig has no field max_batch_sise/],
  };
  for (const [name, [config, message]] of Object.entries(refused)) {
    test(`is refused with a reason if it has ${name}`, async () => {
      await using server = await inference({ ...versions, 'm/config.pbtxt': config });
      assert.equal((await server.get('/v2/models/m/ready')).status, 503);
      assert.equal((await server.get('/v2/health/ready')).status, 503);
      const { json } = await server.post('/v2/repository/index', '');
      assert.equal(json[0].state, 'UNAVAILABLE');
      assert.match(json[0].reason, message);
      assert.ok(!json[0].reason.includes(server.root), json[0].reason);
    });
  }
});

describe('loading and unloading', () => {
  test('is refused unless MODEL_CONTROL_MODE is explicit', async () => {
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' });
    for (const action of ['load', 'unload']) {
      const { status, json } = await server.post(`/v2/repository/models/a/${action}`, '');
      assert.equal(status, 503);
      assert.match(json.error, /MODEL_CONTROL_MODE=explicit/);
    }
  });

  test('starts with LOAD_MODEL and loads other models on request', async () => {
    const files = { 'a/1/model.onnx': '=identity-float32', 'b/1/model.onnx': '=identity-float32' };
    await using server = await inference(files, { ...explicit, loadModels: ['a'] });
    const index = async () => (await server.post('/v2/repository/index', '')).json;
    assert.deepEqual(await index(), [{ name: 'a', version: '1', state: 'READY' }, { name: 'b' }]);
    assert.equal((await server.post('/v2/models/b/infer', x())).status, 404);
    assert.equal((await server.post('/v2/repository/models/b/load', '')).status, 200);
    assert.equal((await server.post('/v2/models/b/infer', x())).status, 200);
    assert.equal((await server.post('/v2/repository/models/a/unload', '')).status, 200);
    // The model is unloaded after its last request.
    await until(async () => (await index())[0].state !== 'UNLOADING', 'the model is unloaded');
    assert.deepEqual(await index(), [
      { name: 'a', state: 'UNAVAILABLE', reason: 'unloaded' },
      { name: 'b', version: '1', state: 'READY' },
    ]);
    assert.deepEqual(names((await server.post('/v2/repository/index', { ready: true })).json), [
      'b',
    ]);
    assert.equal((await server.post('/v2/repository/models/a/unload', '')).status, 404);
    assert.equal((await server.post('/v2/repository/models/no/load', '')).status, 404);
    await assert.rejects(
      inference(files, { ...explicit, loadModels: ['no'] }),
      (error: unknown) =>
        error instanceof ServeError && /LOAD_MODEL names 'no'/.test(error.message),
    );
  });

  test('accepts the configuration and the files in the request', async () => {
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' }, explicit);
    const content = readFileSync(fixture('identity-int32')).toString('base64');
    const parameters = { config: '{"max_batch_size": 4}', 'file:7/model.onnx': content };
    const loaded = await server.post('/v2/repository/models/a/load', { parameters });
    assert.equal(loaded.status, 200, loaded.text);
    const { json } = await server.get('/v2/models/a');
    assert.deepEqual([json.versions, json.inputs[0].datatype], [['7'], 'INT32']);
    assert.equal((await server.get('/v2/models/a/config')).json.max_batch_size, 4);
    for (const [bad, message] of [
      [{ 'file:1/model.onnx': content }, /need the parameter config/],
      [{ config: '{', 'file:1/model.onnx': content }, /not valid JSON/],
      [{ config: '{"nonsense": 1}' }, /no field nonsense/],
      [{ config: '{}', 'file:../x.onnx': content }, /must have its version and name/],
      [{ config: '{}', 'file:1/model.onnx': '%%%' }, /must be base64/],
      [{ config: 7 }, /must be a string/],
      [{ other: 'x' }, /parameter other is unknown/],
    ] as const) {
      const { status, json: response } = await server.post('/v2/repository/models/a/load', {
        parameters: bad,
      });
      assert.equal(status, 400, JSON.stringify(bad));
      assert.match(response.error, message);
    }
    assert.equal(
      (await server.post('/v2/repository/models/..%2f/load', { parameters })).status,
      404,
    );
  });

  test('loads a model whose warm-up with zeros fails, with a note', async () => {
    await using server = await inference({ 'm/1/model.onnx': '=ratio' });
    const input = (name: string, data: number[]) => ({ name, datatype: 'INT64', shape: [2], data });
    const inputs = [input('a', [7, 8]), input('b', [2, 4])];
    const { json } = await server.post('/v2/models/m/infer', { inputs });
    assert.deepEqual(json.outputs[0].data, [3, 2]);
    const [model] = server.runtime.models();
    assert.match(model!.versions[0]!.notes![0]!, /run of zeros .* failed: .*[Dd]ivi/);
  });

  test('keeps serving the old version if a load fails', async () => {
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' }, explicit);
    server.write({ 'a/2/model.onnx': 'not a model' });
    const { status, json } = await server.post('/v2/repository/models/a/load', '');
    assert.equal(status, 400);
    assert.ok(json.error.length > 10 && !json.error.includes(server.root), json.error);
    assert.equal((await server.post('/v2/models/a/infer', x())).status, 200);
    assert.deepEqual((await server.get('/v2/models/a')).json.versions, ['1']);
  });

  test('by polling follows added, changed and removed models', async () => {
    const settings: Partial<Config> = { modelControlMode: 'poll', repositoryPollMs: 20 };
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' }, settings);
    const models = async () => (await server.get('/v2/models')).json.models.join();
    const becomes = (wanted: string) => until(async () => (await models()) === wanted, wanted);
    server.write({ 'b/1/model.onnx': '=identity-float32' });
    await becomes('a,b');
    rmSync(path.join(server.root, 'a'), { recursive: true });
    await becomes('b');
  });

  test('by polling follows changed versions, files and configurations, and keeps a model whose new files cannot be loaded', async () => {
    const settings: Partial<Config> = { modelControlMode: 'poll', repositoryPollMs: 20 };
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' }, settings);
    const about = async () => {
      const { versions, inputs } = (await server.get('/v2/models/a')).json;
      return `${versions} ${inputs[0].datatype}`;
    };
    const becomes = (wanted: string) => until(async () => (await about()) === wanted, wanted);
    server.write({ 'a/2/model.onnx': '=identity-int32' });
    await becomes('1,2 INT32');
    server.write({ 'a/2/model.onnx': '=identity-float64' });
    await becomes('1,2 FP64');
    rmSync(path.join(server.root, 'a/1'), { recursive: true });
    await becomes('2 FP64');
    server.write({ 'a/config.pbtxt': 'version_policy { specific { versions: 3 } }' });
    server.write({ 'a/3/model.onnx': '=identity-int8' });
    await becomes('3 INT8');
    server.write({ 'a/3/model.onnx': 'not a model' });
    const entry = async () => (await server.post('/v2/repository/index', '')).json[0];
    await until(async () => (await entry()).reason !== undefined, 'the change has been looked at');
    const { state, reason } = await entry();
    assert.equal(state, 'READY', 'the version that was there');
    assert.match(reason, /^A newer one cannot be served: ./);
    assert.equal(await about(), '3 INT8');
    server.write({ 'a/3/model.onnx': '=identity-uint8' });
    await becomes('3 UINT8');
    assert.deepEqual(await entry(), { name: 'a', version: '3', state: 'READY' });
  });

  test('concurrently with requests causes only expected errors', async () => {
    await using server = await inference({ 'a/1/model.onnx': '=identity-float32' }, explicit);
    const seen = new Set<number>();
    const infer = async () => {
      for (let i = 0; i < 50; i += 1) {
        const { status, json } = await server.post('/v2/models/a/infer', x([i, i, i]));
        seen.add(status);
        if (status === 200) assert.deepEqual(json.outputs[0].data, [i, i, i]);
        else assert.ok(status === 404 || status === 503, JSON.stringify(json));
      }
    };
    const change = async () => {
      for (let i = 0; i < 10; i += 1) {
        await server.post('/v2/repository/models/a/unload', '');
        assert.equal((await server.post('/v2/repository/models/a/load', '')).status, 200);
      }
    };
    await Promise.all([infer(), infer(), change(), change()]);
    assert.ok(seen.has(200));
    assert.equal((await server.post('/v2/models/a/infer', x())).status, 200);
  });
});
