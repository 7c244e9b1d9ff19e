import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Generator } from '../../native/detection-cases.ts';

interface Page {
  rasterSize(size: readonly number[]): { width: number; height: number };
  rasterOf(mask: { size: readonly number[]; counts: readonly number[] }): Uint8Array;
  agreement(a: Uint8Array, b: Uint8Array): number;
  union(masks: readonly Uint8Array[], length: number): Uint8Array;
}

const script = new URL('../../../services/playground/page/masks.js', import.meta.url).href;
const { rasterSize, rasterOf, agreement, union } = (await import(script)) as Page;

/** Runs of random lengths, also of none, which fill an image. */
function maskOf(height: number, width: number, longest: number, seed: number) {
  const generator = new Generator(seed);
  const counts: number[] = [];
  let left = height * width;
  while (left > 0) {
    const count = Math.min(left, generator.below(longest));
    counts.push(count);
    left -= count;
  }
  return { size: [height, width], counts };
}

/** The bits in the order of the runs, down the columns. */
const bitsOf = ({ counts }: { counts: readonly number[] }) =>
  counts.flatMap((count, i) => new Array<number>(count).fill(i % 2));

describe('a mask', () => {
  test('of a small image has a pixel of the raster for each of the image', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const [height, width] = [5 + seed, 30 - seed];
      const mask = maskOf(height, width, 12, seed);
      const bits = bitsOf(mask);
      const expected = Array.from(
        { length: height * width },
        (_, i) => bits[(i % width) * height + Math.floor(i / width)]!,
      );
      assert.deepEqual([...rasterOf(mask)], expected, `seed ${seed}`);
    }
  });

  test('of a large image has the pixel in the middle of what a pixel of the raster stands for', () => {
    const [height, width] = [1500, 3072];
    const mask = maskOf(height, width, 5000, 1);
    const bits = bitsOf(mask);
    const size = rasterSize(mask.size);
    assert.deepEqual(size, { width: 1024, height: 500 });
    const raster = rasterOf(mask);
    // Each pixel of the raster stands for 3 × 3.
    for (let i = 0; i < raster.length; i += 97) {
      const [x, y] = [3 * (i % size.width) + 1, 3 * Math.floor(i / size.width) + 1];
      assert.equal(raster[i], bits[x * height + y], `pixel ${i}`);
    }
  });

  test('may begin with a run of ones, be full, or be empty', () => {
    const size = [2, 2];
    assert.deepEqual([...rasterOf({ size, counts: [0, 1, 3] })], [1, 0, 0, 0]);
    assert.deepEqual([...rasterOf({ size, counts: [0, 4] })], [1, 1, 1, 1]);
    assert.deepEqual([...rasterOf({ size, counts: [4] })], [0, 0, 0, 0]);
  });
});

test('masks agree as far as they share their pixels', () => {
  const [a, b, none] = [Uint8Array.of(1, 1, 0), Uint8Array.of(0, 1, 1), new Uint8Array(3)];
  assert.equal(agreement(a, b), 1 / 3);
  assert.equal(agreement(a, a), 1);
  assert.equal(agreement(a, none), 0);
  assert.equal(agreement(none, none), 1);
  assert.deepEqual([...union([a, b], 3)], [1, 1, 1]);
});
