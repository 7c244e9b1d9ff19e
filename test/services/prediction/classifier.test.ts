/** @module Classifiers as scikit-learn and CatBoost export them, without a model.json. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { answerOf, type Opened, openApp, predict, temporaryRepository } from '../support.ts';

const repository = temporaryRepository({
  'animals/1/model.onnx': 'test/fixtures/models/zip-map-strings.onnx',
  'numbers/1/model.onnx': 'test/fixtures/models/zip-map-integers.onnx',
  'named/1/model.onnx': 'test/fixtures/models/zip-map-integers.onnx',
  'named/model.json': { task: 'classification', labels: ['three', 'five', 'eight'] },
});
let opened: Opened;
before(async () => {
  opened = await openApp(openEngine(), { modelPath: repository.folder });
});
after(async () => {
  await opened.close();
  repository.remove();
});

describe('a classifier that ends in a ZipMap', () => {
  for (const [model, prediction] of [
    ['animals', 'cat'],
    ['numbers', 8],
    ['named', 'eight'],
  ] as const) {
    test(`${model}: label and confidence`, async () => {
      const body = { model, features: [0, 1, 2] };
      const response = await answerOf(await predict(opened.app, body));
      assert.deepEqual([response.prediction, response.confidence], [prediction, 0.665241]);
    });
  }

  test('several rows', async () => {
    const features = [
      [0, 0, 9],
      [9, 0, 0],
      [0, 9, 0],
    ];
    const response = await predict(opened.app, { model: 'animals', features });
    const { predictions } = (await response.json()) as {
      predictions: { prediction: string; confidence: number }[];
    };
    assert.deepEqual(
      predictions.map(({ prediction }) => prediction),
      ['cat', 'ant', 'bee'],
    );
    assert.ok(predictions.every(({ confidence }) => confidence > 0.99));
  });
});
