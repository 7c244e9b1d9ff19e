/** @module Tests that no row gets the result of another, whatever number of rows a model returns. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { prediction } from '../../../services/prediction/index.ts';
import { type Inference, inference } from '../inference/support.ts';

let server: Inference;
before(async () => {
  server = await inference(
    {
      'detections/1/model.onnx': '=detections',
      'single/1/model.onnx': '=detections-of-one',
      // The configuration declares a classifier, so the names of the outputs do not matter.
      'classifier/1/model.onnx': '=detections',
      'classifier/model.json': JSON.stringify({ task: 'classification' }),
      'declared/1/model.onnx': '=detections',
      'declared/model.json': JSON.stringify({ batching: { maxRows: 8 } }),
      'kept/1/model.onnx': '=kept-rows-unnamed',
      'changed/1/model.onnx': '=rows-change',
      'lag/1/model.onnx': '=lag-2',
      'softmax/1/model.onnx': '=cross-row',
      'own/1/model.onnx': '=identity-float32',
      'own/model.json': JSON.stringify({ batching: false }),
    },
    {},
    { service: prediction },
  );
});
after(() => server[Symbol.asyncDispose]());

const predict = (model: string, features: unknown) =>
  server.post('/predict', { model, features }, { 'Content-Type': 'application/json' });

/** An image with two candidates, of which `found` are detections. */
const picture = (found: number) => [0, 1].flatMap((i) => [i, 0, 0, 0, i < found ? 0.9 : 0.1, 7]);

describe('models that return another number of rows than they take', () => {
  for (const model of ['detections', 'single', 'classifier']) {
    test(`${model} is refused on /predict with the route that returns its tensors`, async () => {
      const several = [[2, 0, 1].map(picture), [1, 1].map(picture), [picture(0)]];
      for (const features of [picture(0), picture(2), ...several]) {
        const { status, text } = await predict(model, features);
        // With a suitable configuration, a single detection of a single image is its prediction.
        if (model === 'classifier' && status === 200) {
          assert.deepEqual(features, several[1]);
          continue;
        }
        assert.equal(status, 400, text);
        assert.ok(text.includes(`/v2/models/${model}/infer`), text);
      }
    });
  }

  test('are trusted if maxRows is declared, which is noted, until a run shows that it is wrong', async () => {
    for (const rows of [[2, 0, 1], [2], [0]]) {
      const { status, text } = await predict('declared', rows.map(picture));
      assert.equal(status, 400, text);
      assert.ok(text.includes('/v2/models/declared/infer'), text);
    }
    const { json } = await server.get('/ready');
    const { versions } = json.models.find((model: { name: string }) => model.name === 'declared');
    assert.match(versions[0].notes[0], /dimension 0 has another name, 'found'/);
  });

  test('return their tensors on the route that the message names', async () => {
    const inputs = [{ name: 'image', datatype: 'FP32', shape: [1, 12], data: picture(2) }];
    const { json } = await server.post('/v2/models/single/infer', { inputs });
    assert.deepEqual(json.outputs[0].shape, [2, 6]);
  });

  test('are refused if the number of rows changes', async () => {
    const kept = await predict('kept', [[1, 2, 3, 4]]);
    assert.equal(kept.status, 200, kept.text);
    const changed = await predict('changed', [1, 2]);
    assert.equal(changed.status, 400, changed.text);
    assert.match(changed.text, /\/v2\/models\/changed\/infer/);
  });
});

describe('models whose rows are not known to be independent', () => {
  test('run each row separately', async () => {
    const rows = [
      [1, 2, 3],
      [3, 2, 1],
      [9, 9, 9],
    ];
    const { json, text } = await predict('own', rows);
    const own = rows.map((row) => ({ prediction: row }));
    assert.deepEqual(json.predictions, own, text);
    // A softmax over rows is 1 for a single row.
    const alone = await predict('softmax', rows);
    assert.deepEqual(alone.json.predictions, Array(3).fill({ prediction: [1, 1, 1] }));
    const lagged = await predict('lag', [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const first = await predict('lag', [5, 6]);
    assert.deepEqual(lagged.json.predictions?.[2]?.prediction, first.json.prediction, lagged.text);
  });
});
