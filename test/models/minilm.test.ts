/** @module Tests the demonstration model of sentences on the engine: recorded vectors, texts alone and together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Example, near, type Output, readExamples, withText } from './support.ts';

interface SentenceExample extends Example {
  readonly float32: readonly number[];
  readonly int8: readonly number[];
}

/** The mean of the tokens' vectors, with length 1. */
function embedding(output: Output): readonly number[] {
  const [tokens, width] = output.dims as [number, number];
  const sum = Array.from({ length: width }, () => 0);
  for (let i = 0; i < tokens * width; i++) sum[i % width]! += output.data[i]!;
  const length = Math.hypot(...sum);
  return sum.map((x) => x / length);
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);

test('minilm gives the recorded embeddings, which are close to those of the float32 model', async () => {
  const examples = readExamples<SentenceExample>('minilm');
  await withText('minilm', examples, (outputs) => {
    const vectors = outputs.map(embedding);
    for (const [i, { text, int8, float32 }] of examples.entries()) {
      near(vectors[i]!, int8, text);
      const cosine = dot(vectors[i]!, float32);
      assert.ok(cosine >= 0.999, `'${text}' has the cosine ${cosine}`);
    }
    // A man who eats is closer to somebody who has a meal than to computers.
    assert.ok(dot(vectors[0]!, vectors[1]!) > dot(vectors[0]!, vectors[2]!) + 0.3);
  });
});
