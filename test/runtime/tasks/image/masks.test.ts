/** @module The forms of masks, their limits, and their JSON. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Mask } from '../../../../native/index.ts';
import { ShortTurns } from '../../../../runtime/index.ts';
import { MaskWriter, type RunLengths } from '../../../../runtime/tasks/image/mask-content.ts';
import { colorOf } from '../../../../runtime/tasks/image/overlay.ts';
import { segmentsJson } from '../../../../runtime/tasks/image/segments-json.ts';
import { refused } from '../text/support.ts';
import { fakeImages } from './fake-images.ts';

const maskOf = (width: number, height: number, counts = Uint32Array.of(1, width * height - 1)) =>
  ({ width, height, counts, area: 1, box: [0, 0, 1, 1] }) as const satisfies Mask;

describe('masks', () => {
  test('are PNG files of one channel, of which two are in memory at a time', async () => {
    const gate = Promise.withResolvers<void>();
    const two = Promise.withResolvers<void>();
    let started = 0;
    const images = fakeImages({
      async bitmap({ width, height }) {
        started += 1;
        if (started === 2) two.resolve();
        await gate.promise;
        return new Uint8Array(width * height).fill(255, 0, width);
      },
    });
    const writer = new MaskWriter(images, 'png');
    const files = Array.from({ length: 8 }, () => writer.write(maskOf(5, 3)));
    await two.promise;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(started, 2);
    gate.resolve();
    for (const file of await Promise.all(files)) {
      const image = sharp(Buffer.from(file as string, 'base64'));
      const { format, width, height, channels } = await image.metadata();
      assert.deepEqual([format, width, height, channels], ['png', 5, 3, 1]);
      const pixels = await image.toColourspace('b-w').raw().toBuffer();
      assert.deepEqual([...pixels], [...Array(5).fill(255), ...Array(10).fill(0)]);
    }
  });

  test('are run lengths with the height before the width', async () => {
    const writer = new MaskWriter(fakeImages({}), 'rle');
    const found = (await writer.write(maskOf(4, 2))) as RunLengths;
    assert.deepEqual(found, { size: [2, 4], counts: Uint32Array.of(1, 7) });
  });

  test('may have two thousand million pixels as PNG files in a response', async () => {
    const images = fakeImages({ bitmap: async () => Promise.reject(new Error('no memory')) });
    const writer = new MaskWriter(images, 'png');
    // The largest that fits is written, which fails here.
    await assert.rejects(writer.write(maskOf(2 ** 16, 2 ** 15)), /no memory/);
    await assert.rejects(
      writer.write(maskOf(1, 1)),
      refused('INVALID_ARGUMENT', /more than 2147483648 pixels in all; ask for "format": "rle"/),
    );
  });

  test('may have 64 MiB as PNG files in a response', async () => {
    const noise = new Uint8Array(2 ** 24);
    for (let from = 0; from < noise.length; from += 2 ** 16) {
      crypto.getRandomValues(noise.subarray(from, from + 2 ** 16));
    }
    const writer = new MaskWriter(fakeImages({ bitmap: async () => noise.slice() }), 'png');
    for (let i = 0; i < 3; i += 1) await writer.write(maskOf(2 ** 12, 2 ** 12));
    await assert.rejects(
      writer.write(maskOf(2 ** 12, 2 ** 12)),
      refused('INVALID_ARGUMENT', /more than 67108864 bytes in all; ask for "format": "rle"/),
    );
  });

  test('may have four million numbers in a response', async () => {
    const runs = new MaskWriter(fakeImages({}), 'rle');
    await runs.write(maskOf(2000, 2000, new Uint32Array(4_000_000)));
    const tooMany = refused('INVALID_ARGUMENT', /more than 4000000 numbers in all; set a higher/);
    await assert.rejects(runs.write(maskOf(1, 1, new Uint32Array(1))), tooMany);
    const polygons = new MaskWriter(
      fakeImages({ polygons: async () => [new Array(2_000_000).fill(0), [0]] }),
      'polygon',
    );
    await polygons.write(maskOf(1, 1));
    await assert.rejects(polygons.write(maskOf(1, 1)), tooMany);
  });
});

test('the memory of pixels is freed when their file is written, or cannot be', async () => {
  const bitmaps = [new Uint8Array(15), new Uint8Array(14)];
  const left = [...bitmaps];
  const writer = new MaskWriter(fakeImages({ bitmap: async () => left.shift()! }), 'png');
  await writer.write(maskOf(5, 3));
  // They are too few.
  await assert.rejects(writer.write(maskOf(5, 3)));
  assert.deepEqual(
    bitmaps.map(({ buffer }) => buffer.byteLength),
    [0, 0],
  );
});

test('overlays count with the masks, and beyond the limit are refused with what to do', async () => {
  const images = fakeImages({ bitmap: async () => Promise.reject(new Error('no memory')) });
  const writer = new MaskWriter(images, 'png');
  await assert.rejects(writer.write(maskOf(2 ** 16, 2 ** 15)), /no memory/);
  await assert.rejects(
    writer.writeOverlay({ width: 1, height: 1 }, () => assert.fail('nothing is drawn')),
    refused('INVALID_ARGUMENT', /more than 2147483648 pixels in all; ask for no overlay, or send/),
  );
});

test('the JSON of segments is that of the objects, however long', async () => {
  const number = fc.integer({ min: 0, max: 1e6 });
  const numbers = fc.oneof(
    fc.array(number),
    fc.array(number, { minLength: 9000, maxLength: 9000 }),
  );
  const mask = fc.oneof(
    fc.base64String(),
    fc.record({
      size: fc.tuple(number, number),
      counts: numbers.map((all) => Uint32Array.from(all)),
    }),
    fc.array(numbers, { maxLength: 4 }),
  );
  const box = fc.record({ x: number, y: number, width: number, height: number });
  const segment = fc.record({ class: fc.string(), confidence: number, area: number, box, mask });
  const lists = fc.array(segment, { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(lists, async (segments) => {
      const expected = JSON.stringify(segments, (_key, value) =>
        value instanceof Uint32Array ? Array.from(value) : value,
      );
      assert.equal(await segmentsJson(segments, new ShortTurns(0)), expected);
    }),
    { numRuns: 50 },
  );
});

test('neighbouring classes have colours far apart, which stay the same', () => {
  const colors = Array.from({ length: 150 }, (_, i) => colorOf(i));
  assert.deepEqual(colors[0], colorOf(0));
  for (const [i, color] of colors.entries()) {
    for (const other of colors.slice(i + 1, i + 8)) {
      const distance = Math.hypot(...color.map((value, channel) => value - other[channel]!));
      assert.ok(distance > 40, `${i}: ${color} ${other}`);
    }
  }
  assert.equal(new Set(colors.map(String)).size, colors.length);
});
