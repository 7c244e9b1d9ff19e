/** @module Tests the detector of objects in the vision service: the boxes that the training script found with Python. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertDetections,
  type Detected,
  formOf,
  openModels,
  readDetections,
  readPhoto,
} from './image-support.ts';

test('the astronaut is a person, at the recorded place', async () => {
  await using service = await openModels('nanodet');
  const photo = readPhoto('nanodet', 'astronaut.jpg');
  const detected = await service.ask<Detected>('/detect', formOf([photo], { threshold: '0.4' }));
  assert.deepEqual(detected.image, { width: 512, height: 512 });
  const recorded = readDetections('nanodet');
  assert.deepEqual(
    recorded.map((each) => each.class),
    ['person'],
  );
  assertDetections(detected, recorded);
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
