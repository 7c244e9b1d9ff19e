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
      assert.ok(example);
      const response = await server.post(example.path, example.body, {
        'Content-Type': 'application/json',
      });
      assert.equal(response.status, 200, `${example.body}: ${response.text}`);
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
