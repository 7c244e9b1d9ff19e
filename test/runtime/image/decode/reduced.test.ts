/** @module Tests that JPEGs which are resized to much less give the same pixels as if they were decoded whole. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { openImages } from '../../../../native/images.ts';
import type { ResampleFilter } from '../../../../native/index.ts';
import { OPTIONS, openDecoder } from './support.ts';

const decoder = openDecoder();
const images = openImages();

/** Details of all sizes, as photos have: waves whose height is that of their length. */
function photo(width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  const waves = [4, 16, 64, 256];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) {
        let value = 128 + (x > width / 3 && y > height / 2 ? 30 : -20);
        for (const length of waves) {
          value += Math.sqrt(length) * 4 * Math.sin((x * (c + 2) + y * 3 + length) / length);
        }
        pixels[(y * width + x) * 3 + c] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return pixels;
}

const [WIDTH, HEIGHT] = [1600, 1200];
const PHOTO = photo(WIDTH, HEIGHT);

/** @param cut Columns that are cut off. */
async function jpeg(orientation = 1, cut = 0): Promise<Uint8Array> {
  const raw = { width: WIDTH, height: HEIGHT, channels: 3 } as const;
  const part = { left: 0, top: 0, width: WIDTH - cut, height: HEIGHT };
  const image = sharp(PHOTO, { raw }).extract(part).jpeg({ quality: 92 });
  return new Uint8Array(await image.withMetadata({ orientation }).toBuffer());
}

async function resized(file: Uint8Array, filter: ResampleFilter, side: number, reduce: boolean) {
  const size = { width: side, height: side, filter };
  const target = reduce ? () => size : undefined;
  const decoded = await decoder.decode(file, { ...OPTIONS, target });
  const { pixels, width, height } = decoded;
  const placement = { ...size, canvasWidth: side, canvasHeight: side, left: 0, top: 0 };
  const form = { layout: 'uint8-hwc', channels: 3, fill: [0, 0, 0] } as const;
  const data = await images.place(pixels, placement, form);
  const { width: decodedWidth } = pixels;
  decoded.release();
  return { data, width, height, decodedWidth };
}

describe('a JPEG that is resized to much less', () => {
  const cases = [
    ...(['bilinear', 'bicubic', 'lanczos', 'hamming'] as const).map(
      (filter) => [filter, 96, 1] as const,
    ),
    ...[3, 5, 6, 8].map((orientation) => ['bilinear', 96, orientation] as const),
    ['bilinear', 48, 1],
  ] as const;
  for (const [filter, side, orientation] of cases) {
    test(`has the same pixels: ${filter}, ${side}, orientation ${orientation}`, async () => {
      const file = await jpeg(orientation);
      const whole = await resized(file, filter, side, false);
      const reduced = await resized(file, filter, side, true);
      assert.equal(whole.decodedWidth, orientation < 5 ? 1600 : 1200);
      assert.equal(reduced.decodedWidth, side * 2.5);
      assert.deepEqual([reduced.width, reduced.height], [whole.width, whole.height]);
      const differences = Array.from(whole.data, (value, i) => Math.abs(value - reduced.data[i]!));
      const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length;
      const sorted = differences.toSorted((a, b) => a - b);
      const most = sorted[Math.floor(sorted.length * 0.999)]!;
      assert.ok(mean <= 1 && most <= 8, `differs by ${mean} on average, and by ${most}`);
    });
  }

  test('is decoded whole where that would not be so, or not faster', async () => {
    const wholly = async (file: Uint8Array, filter: ResampleFilter, side: number) =>
      (await resized(file, filter, side, true)).decodedWidth;
    assert.equal(await wholly(await jpeg(), 'nearest', 96), 1600);
    assert.equal(await wholly(await jpeg(), 'box', 96), 1600);
    assert.equal(await wholly(await jpeg(), 'bilinear', 224), 1600);
    assert.equal(await wholly(await jpeg(1, 1), 'bilinear', 96), 1599);
  });
});
