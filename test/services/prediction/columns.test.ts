/** @module Tests rows as objects, whose names are the model's inputs or the features of `model.json`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ElementType, Tensor } from '../../../native/tensor-types.ts';
import { prediction } from '../../../services/prediction/index.ts';
import type { PuppetScript } from '../../support/puppet-engine.ts';
import { testService } from '../../support/service.ts';
import { inference } from '../inference/support.ts';

/** A model with several inputs, whose output describes the values of each row. */
function people(enabled = true): PuppetScript {
  const spec = (name: string, type: ElementType, dims: number[]) =>
    ({ name, type, dims, symbols: dims.map(() => '') }) as const;
  return {
    signature: {
      inputs: [
        spec('age', 'float32', [-1, 1]),
        spec('city', 'string', [-1]),
        spec('visits', 'int64', [-1, 1]),
        spec('position', 'float32', [-1, 2]),
      ],
      outputs: [spec('said', 'string', [-1, 1])],
      batching: { enabled, maxRows: enabled ? 16 : 1, reason: '' },
    },
    run(inputs) {
      const values = (name: string) => Array.from((inputs[name] as Tensor).data, String);
      const [city, visits, position] = [values('city'), values('visits'), values('position')];
      const data = values('age').map((age, i) => {
        return `${age} ${city[i]} ${visits[i]} ${position.slice(2 * i, 2 * i + 2)}`;
      });
      return { said: { type: 'string', dims: [data.length, 1], data } };
    },
  };
}

const ada = { age: 41, city: 'Rome', visits: 3, position: [1.5, 2] };
const bob = { position: [0, 1], visits: -1, city: 'Ürümqi', age: 7.5 };
const models = { people: { versions: { '1': '' } } };

describe('rows by the names of the inputs', () => {
  for (const enabled of [true, false]) {
    test(`are accepted for one row and for several, ${enabled ? 'which share a run' : 'which run separately'}`, async () => {
      using service = await testService({ models, engine: () => people(enabled) });
      const before = service.model('people:1').stats().completed;
      const one = (await (await service.predict({ features: ada })).json()) as object;
      assert.equal((one as { prediction: string }).prediction, '41 Rome 3 1.5,2');
      const many = await (await service.predict({ features: [ada, bob, ada] })).json();
      assert.deepEqual((many as { predictions: object[] }).predictions, [
        { prediction: '41 Rome 3 1.5,2' },
        { prediction: '7.5 Ürümqi -1 0,1' },
        { prediction: '41 Rome 3 1.5,2' },
      ]);
      const runs = service.model('people:1').stats().completed - before;
      assert.equal(runs, enabled ? 2 : 4);
    });
  }

  test('are accepted if "features" are these names, in any order, and no others', async () => {
    const named = (...features: string[]) => ({
      people: { config: { features }, versions: { '1': '' } },
    });
    const all = named('visits', 'city', 'position', 'age');
    using service = await testService({ models: all, engine: () => people() });
    const { prediction } = (await (await service.predict({ features: ada })).json()) as {
      prediction: string;
    };
    assert.equal(prediction, '41 Rome 3 1.5,2');
    using wrong = await testService({ models: named('age', 'city'), engine: () => people() });
    const ready = await (await wrong.app.request('/ready')).text();
    assert.match(ready, /need one input, or .*features.* the names of all inputs; it has 'age'/);
  });

  test('keep 64-bit integers exact', async () => {
    using service = await testService({ models, engine: () => people() });
    const body = JSON.stringify({ features: ada }).replace(
      '"visits":3',
      '"visits":9007199254740993',
    );
    const headers = { 'Content-Length': String(body.length) };
    assert.match(await (await service.predict(body, headers)).text(), /Rome 9007199254740993/);
  });

  test('are refused with the wrong name and the most similar valid one', async () => {
    using service = await testService({ models, engine: () => people() });
    const { city: _, ...homeless } = ada;
    for (const [features, message] of [
      [
        { ...homeless, City: 'Rome' },
        /unknown name 'City', did you mean 'city'; its names are age, city/,
      ],
      [{ ...ada, agee: 1 }, /unknown name 'agee', did you mean 'age'/],
      [{ ...ada, colour: 1 }, /unknown name 'colour'; its names are/],
      [JSON.parse('{"__proto__":1}'), /unknown name '__proto__';/],
      [homeless, /features has no 'city'; its names are age, city, visits, position/],
      [[ada, homeless], /features\[1\] has no 'city'/],
      [
        { ...ada, age: 'old' },
        /features\.age must be a finite number that fits float32, got a string/,
      ],
      [{ ...ada, age: null }, /features\.age must be .*got null/],
      [[ada, { ...ada, city: 1 }], /features\[1\]\.city must be a string, got 1/],
      [{ ...ada, visits: 1.5 }, /features\.visits must be an integer/],
      [{ ...ada, position: [1] }, /features\.position must be a list of 2 values, got 1/],
      [{ ...ada, position: [1, 'x'] }, /features\.position\[1\] must be/],
      [[ada, [1]], /features\[1\] must be an object like the rows before it, got a list/],
      [[41, 'Rome'], /need one input; send them by name: {\\"features\\": {\\"age\\": …/],
      [{}, /features has no 'age'/],
    ] as const) {
      const response = await service.predict({ features });
      const text = await response.text();
      assert.equal(response.status, 400, text);
      assert.match(text, message);
    }
  });

  test('are refused with a short message even if a name has a megabyte', async () => {
    using service = await testService({ models, engine: () => people() });
    const response = await service.predict({ features: { ['x'.repeat(9e5)]: 1 } });
    assert.equal(response.status, 400);
    assert.ok((await response.text()).length < 400);
  });
});

describe('rows by the names in model.json', () => {
  test('are reordered to the order of the features', async () => {
    const features = ['a', 'b', 'c'];
    const files = {
      'm/1/model.onnx': '=identity-float32',
      'm/model.json': JSON.stringify({ features, missing: 'nan' }),
      'n/1/model.onnx': '=identity-float32',
    };
    await using server = await inference(files, {}, { service: prediction });
    const post = (body: object) =>
      server.post('/predict', body, { 'Content-Type': 'application/json' });
    const one = await post({ model: 'm', features: { c: 3, a: 1, b: null } });
    assert.deepEqual(one.json.prediction, [1, 'NaN', 3], one.text);
    const rows = [
      { a: 1, b: 2, c: 3 },
      { c: 6, b: 5, a: 4 },
    ];
    const many = await post({ model: 'm', features: rows });
    assert.deepEqual(many.json.predictions, [{ prediction: [1, 2, 3] }, { prediction: [4, 5, 6] }]);
    assert.match((await post({ model: 'm', features: { a: 1, b: 2 } })).text, /has no 'c'/);
    assert.deepEqual((await post({ model: 'm', features: [1, 2, 3] })).json.prediction, [1, 2, 3]);
    // Without feature names, the input's name stands for the whole row.
    const whole = await post({ model: 'n', features: { x: [1, 2, 3] } });
    assert.deepEqual(whole.json.prediction, [1, 2, 3], whole.text);
  });
});
