/** @module Tests classifiers exported by scikit-learn and CatBoost, without a model.json. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { jsonOf, type Opened, openApp, predict, temporaryRepository } from '../support.ts';

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
    test(`${model} returns label and confidence`, async () => {
      const body = { model, features: [0, 1, 2] };
      const response = await jsonOf(await predict(opened.app, body));
      assert.deepEqual([response.prediction, response.confidence], [prediction, 0.665241]);
    });
  }

  test('returns a prediction for each of several rows', async () => {
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

test('a model whose labels are declared as a single value returns one label per row', async () => {
  const { folder, remove } = temporaryRepository({
    'lightgbm/1/model.onnx': 'test/fixtures/models/declared-one.onnx',
  });
  const service = await openApp(openEngine(), { modelPath: folder });
  const features = [
    [0, 0, 9],
    [9, 0, 0],
  ];
  const { predictions } = await jsonOf(await predict(service.app, { features }));
  const labels = (predictions as { prediction: number; confidence: number }[]).map(
    ({ prediction, confidence }) => [prediction, typeof confidence],
  );
  const alone = await Promise.all(
    features.map(async (row) => {
      const one = await jsonOf(await predict(service.app, { features: row }));
      return [one.prediction, typeof one.confidence];
    }),
  );
  assert.deepEqual(labels, alone);
  assert.equal(labels[0]![1], 'number');
  await service.close();
  remove();
});
