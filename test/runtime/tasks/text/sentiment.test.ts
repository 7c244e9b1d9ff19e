/** @module Labels of texts, compared with transformers' TextClassificationPipeline. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { RowOutputs } from '../../../../runtime/tasks/text/rows.ts';
import { sentiment } from '../../../../runtime/tasks/text/sentiment.ts';
import { assertNear, type Models, openModels, referenceOf, refused, textsOf } from './support.ts';

const NAMES = [
  'bert-sentiment',
  'distilbert-sentiment',
  'distilbert-multi-label',
  'distilbert-one-label',
  'distilbert-regression',
];
/** Of numbers with 7 digits. */
const TOLERANCE = 1e-5;

interface Reference {
  readonly window: number;
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly logits: readonly number[];
    readonly scores: readonly { readonly label: string; readonly score: number }[];
  }[];
  readonly stride: number;
  readonly windows: readonly {
    readonly index: number;
    readonly parts: readonly (readonly number[])[];
    readonly scores: Readonly<Record<string, number>>;
  }[];
}

let models: Models;
before(async () => {
  models = await openModels(NAMES);
});
after(() => models[Symbol.asyncDispose]());

for (const name of NAMES) {
  describe(name, () => {
    const { texts, stride, windows, window } = referenceOf<Reference>(name);
    const all = texts.map(({ text }) => text);

    test('has the scores of the pipeline for texts that are cut', async () => {
      assert.equal(models.model(name).window, window);
      const input = { ...textsOf(all), truncate: true };
      const { results, usage } = await models.ask(sentiment, name, input);
      for (const [i, { label, score, scores }] of results.entries()) {
        const expected = texts[i]!.scores;
        assert.deepEqual(
          [...scores.keys()],
          expected.map((each) => each.label),
        );
        assertNear(
          [...scores.values()],
          expected.map((each) => each.score),
          TOLERANCE,
          `${i}`,
        );
        assert.equal(label, expected[0]!.label);
        assert.equal(score, [...scores.values()][0]);
      }
      const tokens = texts.reduce((sum, { ids }) => sum + ids.length, 0);
      assert.deepEqual(usage, { tokens, truncated: windows.length });
    });

    test('has the mean of the windows of longer texts', async () => {
      const { results, usage } = await models.ask(sentiment, name, { ...textsOf(all), stride });
      for (const { index, scores } of windows) {
        for (const [label, score] of Object.entries(scores)) {
          assertNear([results[index]!.scores.get(label)!], [score], TOLERANCE, `${index} ${label}`);
        }
      }
      assert.equal(usage.truncated, 0);
      const more = windows.reduce(
        (sum, { index, parts }) => sum + parts.flat().length - texts[index]!.ids.length,
        0,
      );
      const tokens = texts.reduce((sum, { ids }) => sum + ids.length, more);
      assert.equal(usage.tokens, tokens);
    });

    test('has the logits of the model', async () => {
      const model = models.model(name);
      const input = { ...textsOf(all), truncate: true };
      const logits: number[][] = [];
      const watched = {
        ...sentiment,
        answer: ((given, results, context) => {
          const outputs = new RowOutputs(given, context.rows, results);
          for (const i of all.keys()) logits.push([...outputs.of(i).data]);
          return sentiment.answer(given, results, context);
        }) as typeof sentiment.answer,
      };
      await models.ask(watched, name, input);
      for (const [i, row] of logits.entries()) assertNear(row, texts[i]!.logits, 1e-4, `${i}`);
      assert.equal(model.labels.length, logits[0]!.length);
    });

    test('answers the texts of a list as each alone, in any order', async () => {
      await fc.assert(
        fc.asyncProperty(fc.shuffledSubarray([...all.keys()], { minLength: 1 }), async (order) => {
          const some = order.map((i) => all[i]!);
          const { results } = await models.ask(sentiment, name, textsOf(some));
          for (const [i, text] of some.entries()) {
            const { results: alone } = await models.ask(sentiment, name, textsOf([text]));
            assertNear(
              [...results[i]!.scores.values()],
              [...alone[0]!.scores.values()],
              1e-6,
              text,
            );
          }
        }),
        { numRuns: 10 },
      );
    });
  });
}

describe('the scores of a response', () => {
  test('are as many of the best as were asked for', async () => {
    const input = { ...textsOf(['Hello']), topK: 2 };
    const { results } = await models.ask(sentiment, 'bert-sentiment', input);
    const { label, scores } = results[0]!;
    assert.equal(scores.size, 2);
    assert.equal([...scores.keys()][0], label);
  });

  test('need well-formed texts, of 1 MiB and 100,000 tokens at most', async () => {
    const ask = (texts: readonly string[]) =>
      models.ask(sentiment, 'bert-sentiment', textsOf(texts));
    await assert.rejects(
      ask(['a', 'b\ud800']),
      refused('INVALID_ARGUMENT', /texts\[1\] has a lone/),
    );
    await assert.rejects(ask(['a'.repeat(2 ** 20), 'b']), refused('PAYLOAD_TOO_LARGE', /1 MiB/));
    const words = '. '.repeat(60_000);
    await assert.rejects(ask([words, words]), refused('PAYLOAD_TOO_LARGE', /100000 tokens/));
    assert.equal((await ask(['a'.repeat(2 ** 20)])).usage.tokens, 3);
  });
});
