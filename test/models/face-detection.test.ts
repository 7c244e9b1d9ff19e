/** @module Tests the detector of faces in the vision service: the face of the astronaut, and the other detector as the default. */
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

test('the astronaut has one face, at the recorded place, and is a person for the default detector', async () => {
  await using service = await openModels('nanodet', 'face-detection');
  const photo = readPhoto('nanodet', 'astronaut.jpg');
  const faces = await service.ask<Detected>(
    '/detect',
    formOf([photo], { model: 'face-detection' }),
  );
  assertDetections(faces, readDetections('face-detection'));
  const objects = await service.ask<Detected>('/detect', formOf([photo], { threshold: '0.4' }));
  assert.deepEqual(
    objects.detections.map((each) => each.class),
    ['person'],
  );
  const [{ box: face }] = faces.detections as [Detected['detections'][number]];
  const [{ box: person }] = objects.detections as [Detected['detections'][number]];
  assert.ok(face.x > person.x && face.y > person.y);
  assert.ok(face.x + face.width < person.x + person.width, 'the face is not within the person');
});
