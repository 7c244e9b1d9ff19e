/** @module Tests model folders of Triton: warm-ups, configurations that must fit the model, and notes about ignored fields. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Config } from '../../../runtime/index.ts';
import { type Files, inference } from './support.ts';

const x = (data: readonly unknown[] = [1, 2, 3]) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data }],
});
const explicit: Partial<Config> = { modelControlMode: 'explicit', loadModels: ['*'] };

/** The files of a model with this `config.pbtxt`. */
const folder = (model: string, config: string, more: Files = {}): Files => ({
  'm/1/model.onnx': `=${model}`,
  'm/config.pbtxt': config,
  ...more,
});

/** The reason why the first version is not served; '' if it is served. */
async function reason(files: Files): Promise<string> {
  await using server = await inference(files);
  const [entry] = (await server.post('/v2/repository/index', '')).json;
  assert.equal(
    (await server.get('/v2/models/m/ready')).status,
    entry.state === 'READY' ? 200 : 503,
  );
  return entry.reason ?? '';
}

describe('model_warmup', () => {
  const warmup = (fields: string, tensor = 'data_type: TYPE_FP32 dims: [ 3 ] zero_data: true') =>
    `max_batch_size: 8
     model_warmup { name: "w" ${fields} inputs { key: "x" value { ${tensor} } } }`;

  test('replaces the warm-up with zeros by its own count and batch size', async () => {
    const config = warmup('batch_size: 4 count: 3');
    await using server = await inference(folder('identity-float32', config));
    const [stats] = (await server.get('/v2/models/m/stats')).json.model_stats;
    assert.deepEqual([stats.inference_count, stats.execution_count], [12, 3]);
    const sizes = stats.batch_stats.map(
      ({ batch_size, compute_infer }: { batch_size: number; compute_infer: { count: number } }) => [
        batch_size,
        compute_infer.count,
      ],
    );
    assert.deepEqual(sizes, [[4, 3]]);
  });

  test('reads data from a file, also of strings', async () => {
    const config = warmup('batch_size: 2', 'dims: [ 3 ] input_data_file: "texts"');
    const files = folder('identity-string', config, {
      'm/warmup/texts': '\x01\0\0\0a\0\0\0\0\x02\0\0\0bc',
    });
    assert.equal(await reason(files), '');
  });

  test('fails the load if its run fails, and the old version stays', async () => {
    const above = Buffer.from(Float32Array.of(2048, 0).buffer).toString('latin1');
    assert.ok(!/[\x80-\xff]/.test(above), 'it is written as text');
    const files = folder('poison', 'max_batch_size: 8', { 'm/warmup/bad': above });
    await using server = await inference(files, explicit);
    server.write({ 'm/config.pbtxt': warmup('batch_size: 1', 'dims: 2 input_data_file: "bad"') });
    const { status, json } = await server.post('/v2/repository/models/m/load', '');
    assert.equal(status, 400);
    assert.match(json.error, /^model_warmup 'w' failed: ./);
    assert.ok(!json.error.includes(server.root), json.error);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }];
    assert.equal((await server.post('/v2/models/m/infer', { inputs })).status, 200);
  });

  const refused: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a wrong name': [warmup('batch_size: 1').replace('"x"', '"z"'), /'w': the input x is missing/],
    'a wrong datatype': [warmup('batch_size: 1', 'data_type: TYPE_INT8 dims: 3'), /TYPE_INT8/],
    'wrong dims': [warmup('batch_size: 1', 'data_type: TYPE_FP32 dims: 4'), /\[4\]/],
    'too many rows': [warmup('batch_size: 9'), /batch_size is 9, .* at most 8/],
  };
  for (const [name, [config, message]] of Object.entries(refused)) {
    test(`is refused with a reason if it has ${name}`, async () => {
      assert.match(await reason(folder('identity-float32', config)), message);
    });
  }
});

describe('inputs and outputs in config.pbtxt', () => {
  const input = 'input { name: "x" data_type: TYPE_FP32 dims: [ 3 ] }';
  const refused: Readonly<Record<string, readonly [string, string, RegExp]>> = {
    'an unknown input': [
      'identity-float32',
      `max_batch_size: 8 ${input.replace('"x"', '"z"')}`,
      /no input z; its inputs are x/,
    ],
    'a wrong datatype': [
      'identity-float32',
      `max_batch_size: 8 ${input.replace('FP32', 'FP64')}`,
      /TYPE_FP64, but the model has it as TYPE_FP32/,
    ],
    'wrong dims': [
      'identity-float32',
      `max_batch_size: 8 ${input.replace('[ 3 ]', '[ 4 ]')}`,
      /are \[4\], but the model has \[3\]/,
    ],
    'max_batch_size for a model whose dimension 0 is fixed': [
      'static-batch',
      'max_batch_size: 8',
      /dimension 0 of 'x' is not dynamic/,
    ],
  };
  for (const [name, [model, config, message]] of Object.entries(refused)) {
    test(`are refused with a reason: ${name}`, async () => {
      assert.match(await reason(folder(model, config)), message);
    });
  }

  test('have whole shapes if the model is not batched', async () => {
    const config = 'input { name: "x" data_type: TYPE_FP32 dims: [ 1, 4 ] }';
    assert.equal(await reason(folder('static-batch', config)), '');
  });

  test('may omit outputs, which requests can still name', async () => {
    const config = `max_batch_size: 8
      input [ { name: "a" data_type: TYPE_FP32 dims: 2 }, { name: "b" data_type: TYPE_INT64 dims: 2 } ]
      output { name: "product" data_type: TYPE_INT64 dims: 1 }`;
    await using server = await inference(folder('two-in-two-out', config));
    const { json } = await server.get('/v2/models/m');
    assert.deepEqual(json.outputs, [{ name: 'product', datatype: 'INT64', shape: [-1, 1] }]);
    const inputs = [
      { name: 'a', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
      { name: 'b', datatype: 'INT64', shape: [1, 2], data: [3, 4] },
    ];
    const usual = await server.post('/v2/models/m/infer', { inputs });
    assert.deepEqual(usual.json.outputs, [
      { name: 'product', datatype: 'INT64', shape: [1, 1], data: [12] },
    ]);
    const named = await server.post('/v2/models/m/infer', { inputs, outputs: [{ name: 'sum' }] });
    assert.deepEqual(named.json.outputs[0].data, [4, 6]);
  });

  test('are completed from the model, which is batched if possible', async () => {
    await using server = await inference(folder('identity-float32', 'name: "m"'));
    const { json } = await server.get('/v2/models/m/config');
    assert.ok(json.max_batch_size > 1);
    assert.deepEqual(json.input, [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }]);
  });
});

test('default_model_filename names the file of a version', async () => {
  await using server = await inference({
    'm/1/other.onnx': '=identity-float32',
    'm/config.pbtxt': 'default_model_filename: "other.onnx"',
  });
  const response = await server.post('/v2/models/m/infer', x());
  assert.equal(response.status, 200, response.text);
  assert.equal((await server.get('/v2/models/m/config')).json.default_model_filename, 'other.onnx');
});

test('/ready has a note for each field without effect', async () => {
  const config = 'max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 }';
  await using server = await inference(folder('identity-float32', config));
  const { json } = await server.get('/ready');
  const notes: string[] = json.models[0].versions[0].notes;
  assert.deepEqual(notes, ['dynamic_batching.preferred_batch_size has no effect']);
});

test('a version can be requested by its label in model.json', async () => {
  await using server = await inference({
    'm/1/model.onnx': '=identity-float32',
    'm/2/model.onnx': '=identity-float32',
    'm/model.json': '{"version_labels": {"stable": "1"}}',
  });
  const { json } = await server.post('/v2/models/m/versions/stable/infer', x());
  assert.equal(json.model_version, '1');
});

test('/v2/health/ready requires every model to be ready, unless STRICT_READINESS is false', async () => {
  const files = { 'good/1/model.onnx': '=identity-float32', 'bad/1/model.onnx': 'no model' };
  for (const [strictReadiness, status] of [
    [true, 503],
    [false, 200],
  ] as const) {
    await using server = await inference(files, { strictReadiness });
    assert.equal((await server.get('/v2/health/ready')).status, status);
    assert.equal((await server.get('/ready')).status, 200, 'one ready model is enough for /ready');
    assert.equal((await server.get('/v2/models/bad/ready')).status, 503);
    assert.equal((await server.get('/v2/models/good/ready')).status, 200);
  }
});
