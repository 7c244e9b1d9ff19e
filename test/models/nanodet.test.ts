/** @module Tests the detector of objects in the vision service: the boxes that the training script found with Python. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type Detected, formOf, openModels, readPhoto } from './image-support.ts';

const fixture = path.join(import.meta.dirname, '../fixtures/nanodet-examples.json');
const recorded: {
  readonly detections: readonly {
    readonly corners: readonly [number, number, number, number];
    readonly score: number;
    readonly class: string;
  }[];
} = JSON.parse(readFileSync(fixture, 'utf8'));

/** Pixels: the service resizes the decoded photo as Pillow does, and decodes JPEG as it may be decoded. */
const NEAR = 2;

test('the astronaut is a person, at the recorded place', async () => {
  await using service = await openModels('nanodet');
  const photo = readPhoto('nanodet', 'astronaut.jpg');
  const { detections, image } = await service.ask<Detected>(
    '/detect',
    formOf([photo], { threshold: '0.4' }),
  );
  assert.deepEqual(image, { width: 512, height: 512 });
  assert.equal(detections.length, recorded.detections.length);
  assert.deepEqual(
    recorded.detections.map((each) => each.class),
    ['person'],
  );
  for (const [i, { corners, score, class: name }] of recorded.detections.entries()) {
    const { box, class: found, confidence } = detections[i]!;
    assert.equal(found, name);
    assert.ok(Math.abs(confidence - score) < 0.01, `${confidence}`);
    const actual = [box.x, box.y, box.x + box.width, box.y + box.height];
    for (const [side, expected] of corners.entries()) {
      assert.ok(Math.abs(actual[side]! - expected) < NEAR, `${actual} and ${corners}`);
    }
  }
});

test('a photo has the same boxes alone and with others', async () => {
  await using service = await openModels('nanodet');
  const photos = [
    readPhoto('nanodet', 'astronaut.jpg'),
    readPhoto('efficientnet-lite0', 'cat.jpg'),
  ];
  const [astronaut, cat] = photos as [Buffer, Buffer];
  const { results } = await service.ask<{ results: Detected[] }>(
    '/detect',
    formOf([astronaut, cat, astronaut, cat]),
  );
  for (const [i, photo] of photos.entries()) {
    const { detections } = await service.ask<Detected>('/detect', formOf([photo]));
    assert.deepEqual(results[i]!.detections, detections);
    assert.deepEqual(results[i + 2]!.detections, detections);
  }
  assert.deepEqual(
    results[1]!.detections.map((each) => each.class),
    ['cat'],
  );
});
