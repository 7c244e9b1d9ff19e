/** @module Tests the demonstration model of named entities on the engine: recorded logits, texts alone and together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Example, labelsOf, near, readExamples, withText } from './support.ts';

interface EntityExample extends Example {
  readonly logits: readonly (readonly number[])[];
  readonly entities: readonly { text: string; label: string; start: number; end: number }[];
}

test('ner gives the recorded logits of each token, alone and together', async () => {
  const examples = readExamples<EntityExample>('ner');
  assert.equal(labelsOf('ner').length, 9);
  await withText('ner', examples, (outputs) => {
    for (const [i, { text, input_ids, logits }] of examples.entries()) {
      assert.deepEqual(outputs[i]!.dims, [input_ids.length, 9]);
      near(outputs[i]!.data, logits.flat(), text);
    }
  });
});

test('ner finds an organization and two places in one sentence', () => {
  const text = 'Apple Inc. is located in Cupertino, California.';
  const [row] = readExamples<EntityExample>('ner').filter((example) => example.text === text);
  assert.deepEqual(row!.entities, [
    { text: 'Apple Inc.', label: 'ORG', start: 0, end: 10 },
    { text: 'Cupertino', label: 'LOC', start: 25, end: 34 },
    { text: 'California', label: 'LOC', start: 36, end: 46 },
  ]);
});
