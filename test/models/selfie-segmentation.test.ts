/** @module Tests the segmentation of people in the vision service: the share of the astronaut's photo that is a person. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { formOf, openModels, readPhoto } from './image-support.ts';

const fixture = path.join(import.meta.dirname, '../fixtures/selfie-segmentation-examples.json');
const { shares }: { readonly shares: Readonly<Record<string, number>> } = JSON.parse(
  readFileSync(fixture, 'utf8'),
);

interface Segmented {
  readonly segments: readonly {
    readonly class: string;
    readonly confidence: number;
    readonly area: number;
  }[];
}

const SIDE = 512;

test('the person in the photo of the astronaut has the recorded share of the pixels, and the background the rest', async () => {
  await using service = await openModels('selfie-segmentation');
  const { segments } = await service.ask<Segmented>(
    '/segment',
    formOf([readPhoto('nanodet', 'astronaut.jpg')], { format: 'rle' }),
  );
  const areas = Object.fromEntries(segments.map((each) => [each.class, each.area]));
  assert.deepEqual(Object.keys(areas).sort(), ['background', 'person']);
  assert.equal(areas.background! + areas.person!, SIDE * SIDE);
  const share = areas.person! / SIDE ** 2;
  assert.ok(Math.abs(share - shares['astronaut.png']!) < 0.01, `${share}`);
  for (const { confidence } of segments) assert.ok(confidence > 0.9, `${confidence}`);
});
