/** @module Tests that the request shown after the start works, whatever the model's inputs are. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inference as inferenceService } from '../../../services/inference/index.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { inference } from '../inference/support.ts';

describe('the example request works', () => {
  for (const [service, fixture] of [
    [prediction, 'identity-float32'],
    [prediction, 'identity-bool'],
    [prediction, 'identity-string'],
    [prediction, 'identity-int64'],
    [prediction, 'two-in-two-out'],
    [prediction, 'zip-map-strings'],
    [inferenceService, 'identity-float32'],
    [inferenceService, 'identity-float16'],
    [inferenceService, 'identity-bfloat16'],
    [inferenceService, 'identity-bool'],
    [inferenceService, 'identity-string'],
    [inferenceService, 'two-in-two-out'],
    [inferenceService, 'static-batch'],
    [inferenceService, 'detections'],
  ] as const) {
    test(`of the ${service.name} service for a model like ${fixture}`, async () => {
      await using server = await inference({ 'm/1/model.onnx': `=${fixture}` }, {}, { service });
      const example = service.example?.(server.runtime);
      assert.ok(example !== undefined && 'body' in example);
      const response = await server.post(example.path, example.body, {
        'Content-Type': 'application/json',
      });
      assert.equal(response.status, 200, `${example.body}: ${response.text}`);
    });
  }
});

describe('the example request has the row that model.json shows', () => {
  const NUMBERS = [5.5, 3, 1.25];
  for (const [fixture, example, features, data] of [
    ['identity-float32', NUMBERS, NUMBERS, [NUMBERS]],
    [
      'two-in-two-out',
      [
        [1.5, 0],
        [2, 3],
      ],
      { a: [1.5, 0], b: [2, 3] },
      [
        [1.5, 0],
        [2, 3],
      ],
    ],
  ] as const) {
    test(fixture, async () => {
      const files = {
        'm/1/model.onnx': `=${fixture}`,
        'm/model.json': JSON.stringify({ example }),
      };
      await using server = await inference(files);
      const first = prediction.example!(server.runtime)!;
      assert.ok('body' in first);
      assert.deepEqual(JSON.parse(first.body).features, features);
      const shown = inferenceService.example!(server.runtime)!;
      assert.ok('body' in shown);
      const tensors = JSON.parse(shown.body).inputs;
      assert.deepEqual(
        tensors.map((input: { data: unknown }) => input.data),
        data,
      );
    });
  }
});

describe('an example that the model does not take says what it does', () => {
  for (const [fixture, example, says] of [
    [
      'identity-float32',
      [1],
      /"example" in model\.json is wrong: features has 1 value, expected 3\./,
    ],
    ['two-in-two-out', [1, 2, 3], /it has 3 values, expected 2, one for each input\./],
  ] as const) {
    test(fixture, async () => {
      const files = {
        'm/1/model.onnx': `=${fixture}`,
        'm/model.json': JSON.stringify({ example }),
      };
      await using server = await inference(files, {}, { service: prediction });
      const response = await server.post('/predict', { features: [1] });
      assert.notEqual(response.status, 200);
      assert.match(response.json.error, says);
    });
  }
});

test('the example request is for the default model if it can be made for that one', async () => {
  const files = { 'a/1/model.onnx': '=identity-float32', 'b/1/model.onnx': '=identity-float32' };
  await using server = await inference(files, { defaultModel: 'b' });
  assert.equal(inferenceService.example?.(server.runtime)?.path, '/v2/models/b/infer');
});

test('the example request is for another model if the default one leaves its shape open', async () => {
  const files = { 'a/1/model.onnx': '=identity-float32', 'b/1/model.onnx': '=dynamic-axes' };
  await using server = await inference(files, { defaultModel: 'b' });
  assert.equal(inferenceService.example?.(server.runtime)?.path, '/v2/models/a/infer');
});

test('there is no example request without a model', async () => {
  await using server = await inference({});
  assert.equal(inferenceService.example?.(server.runtime), undefined);
});
