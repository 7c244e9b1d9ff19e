/** @module Tests the reader of digits in the vision service: held-out digits, light on dark and dark on light. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { formOf, openModels, readPhoto } from './image-support.ts';

interface Classified {
  readonly predictions: readonly { readonly class: string; readonly confidence: number }[];
}

const fixtures = path.join(import.meta.dirname, '../fixtures');
const { rows }: { readonly rows: readonly { digit: number; logits: readonly number[] }[] } =
  JSON.parse(readFileSync(path.join(fixtures, 'mnist-examples.json'), 'utf8'));

const SIDE = 28;

/** The digits of the sheet, which lie beside each other: even ones are dark on light. */
const readSheet = (): Promise<readonly Buffer[]> =>
  Promise.all(
    rows.map(({ digit }) =>
      // The service has blocked whatever reads files.
      sharp(readFileSync(path.join(fixtures, 'mnist-digits.png')))
        .extract({ left: digit * SIDE, top: 0, width: SIDE, height: SIDE })
        .png()
        .toBuffer(),
    ),
  );

test('held-out digits have the recorded probabilities, and most are read right', async () => {
  await using service = await openModels('mnist');
  const { results } = await service.ask<{ results: Classified[] }>(
    '/classify',
    formOf(await readSheet(), { top_k: '10' }),
  );
  let right = 0;
  for (const [i, { digit, logits }] of rows.entries()) {
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    for (const { class: name, confidence } of results[i]!.predictions) {
      const difference = Math.abs(confidence - Math.exp(logits[Number(name)]!) / sum);
      assert.ok(difference < 1e-3, `${digit} as ${name} differs by ${difference}`);
    }
    if (results[i]!.predictions[0]!.class === String(digit)) right++;
  }
  assert.ok(right >= 9, `${right} of ${rows.length}`);
});

test('a large photo of ink on paper is read, in colour and as JPEG', async () => {
  await using service = await openModels('mnist');
  const photo = await sharp(readPhoto('mnist', 'four.png'))
    .resize(480, 480)
    .toColourspace('srgb')
    .jpeg()
    .toBuffer();
  for (const image of [readPhoto('mnist', 'four.png'), photo]) {
    const { predictions } = await service.ask<Classified>('/classify', formOf([image]));
    assert.equal(predictions[0]!.class, '4');
    assert.ok(predictions[0]!.confidence > 0.8, `${predictions[0]!.confidence}`);
  }
});
