/** @module Tests the classifier of photos in the vision service: the recorded probabilities of the committed photo. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { formOf, openModels, readPhoto } from './image-support.ts';

/** The probabilities of the best labels. */
type Recorded = Readonly<Record<string, number>>;

interface Classified {
  readonly predictions: readonly { readonly class: string; readonly confidence: number }[];
}

const fixture = path.join(import.meta.dirname, '../fixtures/efficientnet-lite0-examples.json');
const recorded: { readonly float32: Recorded; readonly int8: Recorded } = JSON.parse(
  readFileSync(fixture, 'utf8'),
);

/** Products of integers are summed in other ways on processors without instructions for them. */
const OTHER_PROCESSOR = 0.03;

test('the photo of a cat has the recorded classes, alone and with others, and the first three are cats', async () => {
  await using service = await openModels('efficientnet-lite0');
  const photo = readPhoto('efficientnet-lite0', 'cat.jpg');
  const [alone, many] = await Promise.all([
    service.ask<Classified>('/classify', formOf([photo])),
    service.ask<{ results: Classified[] }>(
      '/classify',
      formOf(Array.from({ length: 9 }, () => photo)),
    ),
  ]);
  assert.deepEqual(
    many.results,
    Array.from({ length: 9 }, () => ({ predictions: alone.predictions })),
  );
  const found = new Map(alone.predictions.map((each) => [each.class, each.confidence]));
  for (const [label, probability] of Object.entries(recorded.int8).slice(0, 4)) {
    const difference = Math.abs(found.get(label)! - probability);
    assert.ok(difference <= OTHER_PROCESSOR, `'${label}' differs by ${difference}`);
  }
  const cats = ['Egyptian cat', 'tabby', 'tiger cat'];
  assert.deepEqual(
    alone.predictions
      .slice(0, 3)
      .map((each) => each.class)
      .sort(),
    cats,
  );
  const sure = alone.predictions.slice(0, 3).reduce((sum, { confidence }) => sum + confidence, 0);
  assert.ok(sure > 0.85, `${sure}`);
});

test('the int8 form gives the photo the same classes as float32', () => {
  for (const [label, probability] of Object.entries(recorded.float32)) {
    assert.ok(Math.abs(probability - recorded.int8[label]!) < 0.05, label);
  }
});
