/** @module Tests missing values in requests and NaN in responses, which every route treats alike. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { datatypes } from '../../../runtime/index.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { type Inference, inference } from '../inference/support.ts';

const floats = ['float32', 'float64', 'float16', 'bfloat16'] as const;
const missing = JSON.stringify({ missing: 'nan' });

let server: Inference;
before(async () => {
  const files: Record<string, string> = { 'strict/1/model.onnx': '=identity-float32' };
  for (const type of [...floats, 'int64', 'string'] as const) {
    files[`${type}/1/model.onnx`] = `=identity-${type}`;
    files[`${type}/model.json`] = missing;
  }
  server = await inference(files, {}, { service: prediction });
});
after(() => server[Symbol.asyncDispose]());

const json = { 'Content-Type': 'application/json' };
const predict = (body: object) => server.post('/predict', body, json);
const generate = (model: string, body: object) =>
  server.post(`/v2/models/${model}/generate`, body, json);
const infer = (model: string, datatype: string, data: string, parameters: object = {}) => {
  const inputs = `[{"name":"x","datatype":"${datatype}","shape":[1,3],"data":${data}}]`;
  const body = `{"parameters":${JSON.stringify(parameters)},"inputs":${inputs}}`;
  return server.post(`/v2/models/${model}/infer`, body);
};

describe('null in a request', () => {
  for (const type of floats) {
    test(`becomes NaN in ${type} if model.json allows it`, async () => {
      const row = [1, null, 2];
      assert.deepEqual((await predict({ model: type, features: row })).json.prediction, [
        1,
        'NaN',
        2,
      ]);
      const rows = (await predict({ model: type, features: [row, row] })).json.predictions;
      assert.deepEqual(rows, Array(2).fill({ prediction: [1, 'NaN', 2] }));
      const first = await predict({ model: type, features: [null, 1, 2] });
      assert.deepEqual(first.json.prediction, ['NaN', 1, 2]);
      assert.deepEqual((await generate(type, { x: row })).json.y, [1, 'NaN', 2]);
      const v2 = await infer(type, datatypes[type], '[1,null,Infinity]', { non_finite: 'string' });
      assert.deepEqual(v2.json.outputs[0].data, [1, 'NaN', 'Infinity']);
    });
  }

  test('is refused if model.json does not allow it, and in other types', async () => {
    const mistakes = [
      await predict({ model: 'strict', features: [1, null, 2] }),
      await generate('strict', { x: [1, null, 2] }),
      await infer('strict', 'FP32', '[1,null,2]'),
    ];
    for (const [model, datatype] of [
      ['int64', 'INT64'],
      ['string', 'BYTES'],
    ] as const) {
      mistakes.push(
        await predict({ model, features: [null, null, null] }),
        await generate(model, { x: [null, null, null] }),
        await infer(model, datatype, '[null,null,null]'),
      );
    }
    for (const { status, text } of mistakes) {
      assert.equal(status, 400, text);
      assert.match(text, /null|expected/);
    }
  });
});

describe('NaN in a response', () => {
  test('is a string, null or a literal in /predict and generate, as non_finite says', async () => {
    const features = [1, null, 2];
    for (const [non_finite, written] of [
      ['string', '[1,"NaN",2]'],
      ['null', '[1,null,2]'],
      ['literal', '[1,NaN,2]'],
    ] as const) {
      const predicted = await predict({ model: 'float32', features, non_finite });
      assert.ok(predicted.text.includes(`"prediction":${written}`), predicted.text);
      const generated = await generate('float32', { x: features, parameters: { non_finite } });
      assert.ok(generated.text.includes(`"y":${written}`), generated.text);
    }
  });

  test('is a literal on the infer route unless non_finite says otherwise', async () => {
    const long = JSON.stringify({ padding: 'x'.repeat(5000) });
    for (const parameters of [{}, JSON.parse(long)]) {
      for (const [non_finite, written] of [
        [undefined, '[NaN,Infinity,-Infinity]'],
        ['literal', '[NaN,Infinity,-Infinity]'],
        ['string', '["NaN","Infinity","-Infinity"]'],
        ['null', '[null,null,null]'],
      ] as const) {
        const data = '[NaN,Infinity,-Infinity]';
        const sent = { ...parameters, ...(non_finite === undefined ? {} : { non_finite }) };
        const { status, text } = await infer('strict', 'FP32', data, sent);
        assert.equal(status, 200, text);
        assert.ok(text.includes(written), text);
      }
    }
  });

  test('cannot be requested in another form on any route', async () => {
    const non_finite = 'nil';
    for (const { status, text } of [
      await predict({ model: 'strict', features: [1, 2, 3], non_finite }),
      await predict({ model: 'strict', features: [1, 2, 3], non_finite: 1 }),
      await generate('strict', { x: [1, 2, 3], parameters: { non_finite } }),
      await infer('strict', 'FP32', '[1,2,3]', { non_finite }),
    ]) {
      assert.equal(status, 400, text);
      assert.match(text, /non_finite must be/);
    }
  });
});
