import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { testService } from '../../support/service.ts';

const row = [5.1, 3.5, 1.4, 0.2];

describe('POST /predict', () => {
  test('returns a prediction for one row', async () => {
    using service = await testService();
    const response = await service.predict({ features: row, model_version: 'v1.0' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/json');
    const { request_id, ...body } = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(body, {
      prediction: 'setosa',
      confidence: 0.97,
      model_version: 'v1.0',
      inference_time_ms: 0.21,
    });
    assert.equal(request_id, response.headers.get('x-request-id'));
    assert.match(String(request_id), /^req_[a-z0-9]+$/);
    const timing = 'queue;dur=0.04, batch;desc="8/16", compute;dur=0.21';
    assert.equal(response.headers.get('server-timing'), timing);
  });

  test('returns a list for a list of rows, even of one row', async () => {
    using service = await testService();
    const response = { prediction: 'setosa', confidence: 0.97 };
    const many = await (await service.predict({ features: [row, row] })).json();
    assert.deepEqual((many as { predictions: unknown }).predictions, [
      response,
      { ...response, prediction: 'versicolor' },
    ]);
    const one = (await (await service.predict({ features: [row] })).json()) as object;
    assert.deepEqual(
      { ...one, request_id: '' },
      {
        predictions: [response],
        model_version: 'v2.0',
        inference_time_ms: 0.21,
        request_id: '',
      },
    );
  });

  test('returns a regression without a confidence', async () => {
    const models = { price: { config: { task: 'regression' }, versions: { '1': '' } } };
    using service = await testService({ models, engine: () => puppetClassifier(4, 1) });
    const body = (await (await service.predict({ features: row })).json()) as object;
    assert.deepEqual(Object.keys(body), [
      'prediction',
      'model_version',
      'inference_time_ms',
      'request_id',
    ]);
  });

  test('accepts a model by name and a version by label', async () => {
    const config = { version_labels: { canary: '2' } };
    const models = { a: { versions: { '1': '' } }, b: { config, versions: { '1': '', '2': '' } } };
    using service = await testService({ models });
    const response = await service.predict({ features: row, model: 'b', model_version: 'canary' });
    assert.equal(((await response.json()) as { model_version: string }).model_version, '2');
    assert.equal(service.model('b:2').stats().completed, 2, 'the warm-up and the request');
  });

  test('accepts every Content-Type of JSON', async () => {
    using service = await testService();
    for (const type of [
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/vnd.x+json',
    ]) {
      const response = await service.predict({ features: row }, { 'Content-Type': type });
      assert.equal(response.status, 200, type);
    }
  });
});
