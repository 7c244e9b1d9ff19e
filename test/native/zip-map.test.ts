/** @module Classifiers that end in a ZipMap: the probabilities are served in place of the maps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fixture, float32, open, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const softmax = (...scores: number[]) => {
  const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
  return scores.map((score) => Math.exp(score) / sum);
};
const near = (actual: ArrayLike<number>, expected: readonly number[]) => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) assert.ok(Math.abs(actual[i]! - value) < 1e-6);
};

const models = [
  ['zip-map-strings', ['ant', 'bee', 'cat'], ['cat', 'ant']],
  ['zip-map-integers', ['3', '5', '8'], BigInt64Array.of(8n, 3n)],
] as const;

describe('ZipMap', () => {
  for (const [name, labels, predicted] of models) {
    test(`${name} has labels and probabilities as outputs`, () =>
      withModel(engine, name, async (model) => {
        const [label, probabilities] = model.signature.outputs;
        assert.deepEqual([label!.labels, probabilities!.labels], [undefined, labels]);
        assert.deepEqual(probabilities!.dims, [-1, 3]);
        assert.equal(probabilities!.type, 'float32');
        assert.ok(model.signature.batching.enabled, model.signature.batching.reason);
        const { outputs } = await model.run({ x: float32([0, 1, 2], [2, 1, 0]) });
        assert.deepEqual(outputs.label!.data, predicted);
        assert.deepEqual(outputs.probabilities!.dims, [2, 3]);
        near(outputs.probabilities!.data as Float32Array, [
          ...softmax(0, 1, 2),
          ...softmax(2, 1, 0),
        ]);
      }));
  }

  test('a model that is loaded from bytes returns its labels', async () => {
    const model = await engine.load({ bytes: readFileSync(fixture('zip-map-strings')) });
    const { label } = (await model.run({ x: float32([0, 9, 0]) })).outputs;
    assert.deepEqual(label!.data, ['bee']);
    await model.close();
  });
});
