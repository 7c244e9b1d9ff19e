/** @module Labels of the client's own, compared with transformers' ZeroShotClassificationPipeline. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RowOutputs } from '../../../../runtime/tasks/text/rows.ts';
import { type ZeroShotInput, zeroShot } from '../../../../runtime/tasks/text/zero-shot.ts';
import { assertNear, type Models, openModels, referenceOf, refused, textsOf } from './support.ts';

const NAME = 'roberta-nli';
const TOLERANCE = 1e-5;

interface Case {
  readonly labels: readonly string[];
  readonly multi_label: boolean;
  readonly hypothesis_template?: string;
  readonly scores: readonly { readonly label: string; readonly score: number }[];
}

interface Reference {
  readonly window: number;
  readonly texts: readonly {
    readonly text: string;
    readonly pairs: readonly {
      readonly ids: readonly number[];
      readonly logits: readonly number[];
    }[];
    readonly cases: readonly Case[];
  }[];
}

const { texts, window } = referenceOf<Reference>(NAME);
let models: Models;
before(async () => {
  models = await openModels([NAME, 'bert-sentiment']);
});
after(() => models[Symbol.asyncDispose]());

const ask = (input: Omit<ZeroShotInput, 'placeOf'>) =>
  models.ask(zeroShot, NAME, { ...input, ...textsOf(input.texts) });

describe('labels of the client', () => {
  test('have the scores of the pipeline, also for texts that are cut', async () => {
    assert.equal(models.model(NAME).window, window);
    let cases = 0;
    for (const { text, cases: each } of texts) {
      for (const { labels, multi_label, hypothesis_template, scores } of each) {
        const { results } = await ask({
          texts: [text],
          labels,
          multiLabel: multi_label,
          hypothesisTemplate: hypothesis_template,
        });
        const found = results[0]!.labels;
        assert.deepEqual(
          found.map(({ label }) => label),
          scores.map(({ label }) => label),
        );
        assertNear(
          found.map(({ score }) => score),
          scores.map(({ score }) => score),
          TOLERANCE,
          `${text} ${labels}`,
        );
        cases += 1;
      }
    }
    assert.ok(cases > 100);
  });

  test('are read beside the text as the pipeline does', async () => {
    const longest = texts.find(({ pairs }) => pairs.every(({ ids }) => ids.length === window))!;
    const topics = longest.cases[0]!.labels;
    const input = { ...textsOf([longest.text, 'Hello']), labels: topics };
    const watched = {
      ...zeroShot,
      answer: ((model, results, context) => {
        const outputs = new RowOutputs(model, context.rows, results);
        for (const [i, { logits }] of longest.pairs.entries()) {
          assertNear(outputs.of(i).data, logits, 1e-4);
        }
        return zeroShot.answer(model, results, context);
      }) as typeof zeroShot.answer,
    };
    const { usage } = await models.ask(watched, NAME, input);
    assert.equal(usage.truncated, 1);
    const { usage: alone } = await ask({ texts: [longest.text], labels: topics });
    assert.deepEqual(alone, { tokens: topics.length * window, truncated: 1 });
  });

  test('answer the texts of a list as each alone', async () => {
    const all = texts.map(({ text }) => text);
    const labels = ['travel', 'football'];
    const { results } = await ask({ texts: all, labels });
    for (const [i, text] of all.entries()) {
      const { results: alone } = await ask({ texts: [text], labels });
      for (const [j, { label, score }] of alone[0]!.labels.entries()) {
        assert.equal(results[i]!.labels[j]!.label, label);
        assertNear([results[i]!.labels[j]!.score], [score], 1e-6);
      }
    }
  });
});

describe('zero-shot labels are refused', () => {
  const labels = ['travel'];
  for (const [what, input, code, message] of [
    [
      'with a template without a place for them',
      { texts: ['a'], labels, hypothesisTemplate: 'This is it.' },
      'INVALID_ARGUMENT',
      /hypothesis_template has no \{\}/,
    ],
    [
      'with a lone surrogate',
      { texts: ['a'], labels: ['a', '\udc00'] },
      'INVALID_ARGUMENT',
      /labels\[1\] has a lone surrogate/,
    ],
    [
      'that fill the window',
      { texts: ['a'], labels: ['word '.repeat(80)] },
      'INVALID_ARGUMENT',
      /fills the window/,
    ],
    [
      'that are too many for so many texts',
      { texts: new Array<string>(1000).fill('a'), labels: new Array<string>(100).fill('b') },
      'PAYLOAD_TOO_LARGE',
      /100000 pairs, and at most 10000/,
    ],
    [
      'whose sentences are too long',
      {
        texts: ['a'],
        labels: new Array<string>(90).fill('b'),
        hypothesisTemplate: '{}'.repeat(9e3),
      },
      'PAYLOAD_TOO_LARGE',
      /1 MiB/,
    ],
  ] as const) {
    test(what, async () => {
      await assert.rejects(ask(input), refused(code, message));
    });
  }

  test('by a model that knows no entailment', async () => {
    await assert.rejects(
      models.ask(zeroShot, 'bert-sentiment', { ...textsOf(['a']), labels }),
      refused('WRONG_TASK', /no label "entailment"/),
    );
  });
});
