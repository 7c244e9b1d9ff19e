/** @module Tests that input which the model itself rejects is an error of the client, with the model's message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { openEngine } from '../../../native/index.ts';
import { openApp, predict, temporaryRepository } from '../support.ts';
import { fails, withClient } from './grpc-client.ts';
import { inference } from './support.ts';

/** Token 99, while the vocabulary has 8 tokens. */
const REASON =
  /^The model refuses the inputs: Gather node: indices element out of data bounds, idx=99 must be within the inclusive range \[-8,7\]\.$/;
const files = { 'm/1/model.onnx': '=plain-mean' };

test('a token outside the vocabulary is refused over REST', async () => {
  await using service = await inference(files);
  const token_ids = { name: 'token_ids', datatype: 'INT64', shape: [1, 2], data: [1, 99] };
  const response = await service.post('/v2/models/m/infer', { inputs: [token_ids] });
  assert.equal(response.status, 400);
  assert.match(response.json.error, REASON);
});

test('a token outside the vocabulary is refused over gRPC', () =>
  withClient(files, async (client) => {
    const contents = { int64_contents: ['1', '99'] };
    const inputs = [{ name: 'token_ids', datatype: 'INT64', shape: [1, 2], contents }];
    const call = client.call('ModelInfer', { model_name: 'm', inputs });
    await fails(call, status.INVALID_ARGUMENT, REASON);
  }));

test('a token outside the vocabulary is refused by /predict', async () => {
  const repository = temporaryRepository({
    'm/1/model.onnx': 'test/fixtures/models/plain-mean.onnx',
  });
  const opened = await openApp(openEngine(), { modelPath: repository.folder });
  try {
    const response = await predict(opened.app, { model: 'm', features: [1, 99] });
    assert.equal(response.status, 400);
    const { error } = (await response.json()) as { error: string };
    assert.match(error, REASON);
  } finally {
    await opened.close();
    repository.remove();
  }
});
