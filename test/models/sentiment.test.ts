/** @module Tests the demonstration model of sentiment on the engine: recorded logits, texts alone and together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Example, labelsOf, near, readExamples, withText } from './support.ts';

const best = (scores: ArrayLike<number>): number =>
  Array.from(scores).reduce((most, score, i) => (score > scores[most]! ? i : most), 0);

interface SentimentExample extends Example {
  readonly label: string;
  readonly logits: readonly number[];
}

test('sentiment gives the recorded logits, alone and together', async () => {
  const examples = readExamples<SentimentExample>('sentiment');
  const labels = labelsOf('sentiment');
  assert.deepEqual(labels, ['NEGATIVE', 'NEUTRAL', 'POSITIVE']);
  await withText('sentiment', examples, (outputs) => {
    for (const [i, { text, logits, label }] of examples.entries()) {
      near(outputs[i]!.data, logits, text);
      assert.equal(labels[best(outputs[i]!.data)], label);
    }
  });
});

test('sentiment is sure that an amazing product is positive', () => {
  const [row] = readExamples<SentimentExample>('sentiment').filter(
    ({ text }) => text === 'This product is amazing!',
  );
  const powers = row!.logits.map(Math.exp);
  const score = powers[2]! / powers.reduce((sum, power) => sum + power);
  assert.equal(row!.label, 'POSITIVE');
  assert.ok(score > 0.95, `${score}`);
});
