/**
 * @module Bytes of images that are placed natively against those of the image processors of transformers
 * (test/fixtures/vision/make/preprocessing.py).
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { openImages } from '../../../native/images.ts';
import { placementOf } from '../../../runtime/image/index.ts';
import fixtures from '../../fixtures/vision/preprocessing/pixels.json' with { type: 'json' };
import { describeImages } from '../../support/image-folder.ts';

interface Fixture {
  readonly name: string;
  readonly files: Readonly<Record<string, object>>;
  readonly size: readonly [number, number];
  readonly canvas: readonly [number, number];
  readonly bytes: string;
}

/** The bytes that the script draws by the same generator. */
function noise(width: number, height: number): Uint8Array {
  let state = 12_345;
  return Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 16) & 255;
  });
}

const images = openImages();

describe('bytes equal those of the processors on Pillow', () => {
  for (const { name, files, size, canvas, bytes } of fixtures as unknown as readonly Fixture[]) {
    test(`${name} of ${size.join(' × ')}`, async () => {
      const { preprocessing } = await describeImages(files);
      const placement = placementOf(preprocessing!, ...size);
      assert.deepEqual([placement.canvasWidth, placement.canvasHeight], canvas);
      const [width, height] = size;
      const found = await images.place(
        { data: noise(width, height), width, height, channels: 3 },
        placement,
        {
          layout: 'uint8-hwc',
          channels: 3,
          fill: [0, 0, 0],
          reverse: preprocessing!.reverse,
        },
      );
      const expected = new Uint8Array(inflateSync(Buffer.from(bytes, 'base64')));
      assert.equal(found.length, expected.length);
      const different = expected.findIndex((each, i) => each !== found[i]);
      assert.equal(different, -1);
    });
  }
});
