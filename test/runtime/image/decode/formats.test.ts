/** @module Compares the pixels of every format with those that Pillow reads; `test/fixtures/images/make.py` has made both. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { expectedImages, imageFile, OPTIONS, openDecoder } from './support.ts';

type Tolerance = readonly [names: RegExp, max: number, mean: number];

const EXACT: Tolerance = [/./, 0, 0];

/**
 * How far pixels may be from those of Pillow, in grey levels: the largest difference, and the mean one. An image that is not
 * listed has exactly the same pixels.
 */
const TOLERANCES: readonly Tolerance[] = [
  // Of laying transparent pixels over white, and of mixing inks, only the rounding differs.
  [/^(palette-trns|grey-alpha|rgba|rgba-16)\.png$/, 1, 0.5],
  [/^(lossy|lossless)-alpha\.webp$|^rgba\.tiff$/, 1, 0.5],
  [/^cmyk(-adobe)?\.(jpg|tiff)$/, 1, 0.5],
  [/icc/, 1, 0.1],
  // Decoders of AVIF convert the colours with different precision.
  [/^(444|orientation|animated)\.avif$/, 1, 0.3],
  [/^alpha\.avif$/, 2, 0.5],
  [/^10-bit\.avif$/, 3, 0.7],
  // The decoder here repeats colours that are stored for every second pixel, and Pillow's interpolates them.
  [/^420\.avif$/, 17, 5],
];

function difference(given: Uint8Array, wanted: Uint8Array) {
  let max = 0;
  let sum = 0;
  for (const [i, value] of wanted.entries()) {
    const each = Math.abs(value - given[i]!);
    max = Math.max(max, each);
    sum += each;
  }
  return { max, mean: sum / wanted.length };
}

describe('an image has the pixels that Pillow reads', () => {
  const decoder = openDecoder();
  for (const [name, expected] of Object.entries(expectedImages())) {
    test(name, async () => {
      const decoded = await decoder.decode(imageFile(name), OPTIONS);
      const { pixels, width, height } = decoded;
      assert.deepEqual([width, height], [expected.width, expected.height]);
      assert.deepEqual([pixels.width, pixels.height, pixels.channels], [width, height, 3]);
      assert.equal(pixels.data.length, width * height * 3);
      const { max, mean } = difference(pixels.data, Buffer.from(expected.rgb, 'base64'));
      const [, most, mostMean] = TOLERANCES.find(([names]) => names.test(name)) ?? EXACT;
      assert.ok(max <= most && mean <= mostMean, `differs by ${max}, on average ${mean}`);
      decoded.release();
    });
  }

  test('of every file that the script has made', () => {
    const files = readdirSync(new URL('../../../fixtures/images/files/', import.meta.url));
    assert.deepEqual(files.sort(), Object.keys(expectedImages()).sort());
  });
});

describe('a transparent image', () => {
  const decoder = openDecoder();
  const transparent = async (background: string, name = 'rgba.png') => {
    const { pixels } = await decoder.decode(imageFile(name), { ...OPTIONS, background });
    return [...pixels.data.subarray(0, 3)];
  };

  test('is laid over the background', async () => {
    assert.deepEqual(await transparent('#ffffff'), [255, 255, 255]);
    assert.deepEqual(await transparent('#102030'), [0x10, 0x20, 0x30]);
  });

  for (const name of ['grey-alpha.png', 'grey-trns.png']) {
    test(`in grey is laid over every channel of the background: ${name}`, async () => {
      const [black, white] = [
        await transparent('#000000', name),
        await transparent('#ffffff', name),
      ];
      // Where the pixel is transparent by a share, each channel moves by that share of the background's.
      const share = (white[0]! - black[0]!) / 255;
      assert.ok(share > 0);
      const colour = await transparent('#204060', name);
      for (const [i, level] of [0x20, 0x40, 0x60].entries()) {
        assert.ok(Math.abs(colour[i]! - (black[i]! + share * level)) <= 1, `${colour}`);
      }
    });
  }
});
