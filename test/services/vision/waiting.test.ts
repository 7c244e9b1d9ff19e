/** @module How long requests wait for the decoder, by HTTP. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colorClassifier, formOf, openVision, plainImage } from './support.ts';

test('a list with too many images that wait gets 503 with the time after which to retry', async () => {
  // One image is decoded at a time, and one waits.
  const settings = { maxImagesWaiting: 1, maxPixelBytesInFlight: 1 };
  await using service = await openVision({ colors: colorClassifier() }, settings);
  const image = await plainImage('#ff0000');
  const response = await service.post('/classify', formOf(Array(8).fill(image)));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '1');
  const { error } = (await response.json()) as { error: string };
  assert.match(error, /^images\[\d+\]: Already 1 images wait to be decoded; retry later\.$/);
});

test('a deadline that is weeks away is none', async () => {
  await using service = await openVision({ colors: colorClassifier() });
  const image = await plainImage('#ff0000', 'png', { width: 2000, height: 2000 });
  const headers = { 'X-Request-Timeout-Ms': String(2 ** 31) };
  const response = await service.post('/classify', formOf([image]), headers);
  assert.equal(response.status, 200, await response.text());
});
