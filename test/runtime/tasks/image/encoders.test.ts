/** @module Classes and vectors of images, compared with transformers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { classify } from '../../../../runtime/tasks/image/classify.ts';
import { embedImage } from '../../../../runtime/tasks/image/embed-image.ts';
import { assertNear, refused } from '../text/support.ts';
import { expectedOf, type ImageModels, imagesOf, openImageModels, PICTURES } from './support.ts';

interface Expected {
  readonly predictions: readonly { readonly class: string; readonly confidence: number }[];
  readonly vector: readonly number[];
}

const CLASSIFIERS = ['vit', 'vit-multi-label', 'convnext'];
const ENCODERS = ['vit-features', 'clip-vision'];
const TOLERANCE = 1e-4;

let models: ImageModels;
before(async () => {
  models = await openImageModels([...CLASSIFIERS, ...ENCODERS]);
});
after(() => models[Symbol.asyncDispose]());

for (const name of CLASSIFIERS) {
  test(`${name} has the probabilities of the reference`, async () => {
    const { results } = await models.ask(classify, name, imagesOf(PICTURES));
    for (const [i, predictions] of results.entries()) {
      const expected = expectedOf<Expected>(name)[PICTURES[i]!]!.predictions;
      assert.deepEqual(
        predictions.map((each) => each.class),
        expected.map((each) => each.class),
      );
      const scores = (some: Expected['predictions']) => some.map(({ confidence }) => confidence);
      assertNear(scores(predictions), scores(expected), TOLERANCE, PICTURES[i]!);
    }
  });
}

for (const name of ENCODERS) {
  for (const normalize of [false, true]) {
    test(`${name} has the vectors of the reference, ${normalize ? '' : 'not '}normalised`, async () => {
      const input = { ...imagesOf(PICTURES), normalize };
      const { data, dimensions } = await models.ask(embedImage, name, input);
      for (const [i, picture] of PICTURES.entries()) {
        const { vector } = expectedOf<Expected>(name)[picture]!;
        const length = normalize ? Math.hypot(...vector) : 1;
        const expected = vector.map((each) => each / length);
        const actual = data.subarray(i * dimensions, (i + 1) * dimensions);
        assertNear(actual, expected, TOLERANCE * (normalize ? 1 : 10), picture);
      }
    });
  }
}

test('scores that are not numbers are the fault of the model, and no empty list', async () => {
  const waiter = { timeLeft: () => undefined };
  for (const [name, wrong] of [
    ['vit', Number.NaN],
    ['vit', Number.POSITIVE_INFINITY],
    ['vit-multi-label', Number.NaN],
  ] as const) {
    const model = models.model(name);
    const prepared = await classify.prepare(model, imagesOf(['wide.png']), models.tools, waiter);
    const data = new Float32Array(model.labels.length).fill(wrong, 1, 2);
    const tensor = { type: 'float32', dims: [1, data.length], data } as const;
    const outputs = { [prepared.outputs[0]!]: tensor };
    await assert.rejects(
      async () => classify.answer(model, [{ outputs }], prepared.context, models.tools, waiter),
      refused('INTERNAL', /scores are not numbers, .*check the model's dtype/),
    );
  }
});

test('images that share a batch have the vectors that they have alone', async () => {
  const [first, second] = await Promise.all(
    PICTURES.map((picture) => models.ask(embedImage, 'vit-features', imagesOf([picture]))),
  );
  const many = Array.from({ length: 24 }, (_, i) => PICTURES[i % 2]!);
  const all = await Promise.all(
    many.map((picture) => models.ask(embedImage, 'vit-features', imagesOf([picture]))),
  );
  for (const [i, { data }] of all.entries()) {
    assertNear(data, (i % 2 ? second! : first!).data, 1e-5, String(i));
  }
});
