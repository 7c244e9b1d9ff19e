/** @module Segments, compared with the post-processing of transformers and torchvision. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import type { RunLengths } from '../../../../runtime/tasks/image/mask-content.ts';
import type { ImageWaiter } from '../../../../runtime/tasks/image/operation.ts';
import { colorOf } from '../../../../runtime/tasks/image/overlay.ts';
import {
  type ImageSegment,
  type SegmentInput,
  segment,
} from '../../../../runtime/tasks/image/segment.ts';
import { refused } from '../text/support.ts';
import {
  expectedOf,
  flatMask,
  type ImageModels,
  imagesOf,
  openImageModels,
  overlapOf,
  PICTURES,
} from './support.ts';

interface Expected {
  readonly size: readonly [number, number];
  readonly segments: readonly {
    readonly class: string;
    readonly confidence: number;
    readonly counts: readonly number[];
  }[];
}

const NAMES = ['segformer', 'fcn', 'maskformer', 'mask-rcnn', 'yolo-seg'];

/** Of the pixels of both masks by those of either. */
const OVERLAP = 0.99;
const SCORE = 1e-3;

let models: ImageModels;
before(async () => {
  models = await openImageModels([...NAMES, 'detr']);
});
after(() => models[Symbol.asyncDispose]());

async function segmentsOf(
  name: string,
  picture: string,
  options: Partial<SegmentInput>,
): Promise<readonly ImageSegment[]> {
  const { results } = await models.ask(segment, name, { ...imagesOf([picture]), ...options });
  return results[0]!.segments;
}

for (const name of NAMES) {
  describe(name, () => {
    test('has the segments of the reference, of several pictures', async () => {
      const input = { ...imagesOf(PICTURES), format: 'rle' } as const;
      const { results } = await models.ask(segment, name, input);
      for (const [i, { segments }] of results.entries()) {
        const { size, segments: expected } = expectedOf<Expected>(name)[PICTURES[i]!]!;
        assert.deepEqual(
          segments.map((each) => each.class),
          expected.map((each) => each.class),
        );
        for (const [at, { confidence, mask, area, box }] of segments.entries()) {
          const about = `${PICTURES[i]} ${at}`;
          const { size: sides, counts } = mask as RunLengths;
          assert.deepEqual(sides, [size[1], size[0]]);
          const flat = flatMask(counts);
          const overlap = overlapOf(flat, flatMask(expected[at]!.counts));
          assert.ok(overlap >= OVERLAP, `${about}: ${overlap}`);
          const difference = Math.abs(confidence - expected[at]!.confidence);
          assert.ok(difference <= SCORE, `${about}: ${confidence} ${expected[at]!.confidence}`);
          assert.equal(
            area,
            flat.reduce((sum, bit) => sum + bit, 0),
          );
          assert.deepEqual(box, boxOf(flat, size[1]));
        }
      }
    });

    test('has the same masks as pictures', async () => {
      const asPng = await segmentsOf(name, 'high.png', {});
      const asRuns = await segmentsOf(name, 'high.png', { format: 'rle' });
      for (const [i, { mask }] of asPng.entries()) {
        const { size, counts } = asRuns[i]!.mask as RunLengths;
        const picture = sharp(Buffer.from(mask as string, 'base64'));
        const { channels, width, height } = await picture.metadata();
        assert.deepEqual([height, width, channels], [...size, 1]);
        const pixels = await picture.toColourspace('b-w').raw().toBuffer();
        assert.deepEqual(turned(pixels, size[0], size[1]), flatMask(counts));
      }
    });
  });
}

test('polygons enclose about the area of their masks', async () => {
  const segments = await segmentsOf('fcn', 'wide.png', { format: 'polygon' });
  assert.ok(segments.length > 1);
  for (const { mask, area, box } of segments) {
    const polygons = mask as readonly (readonly number[])[];
    assert.ok(polygons.length > 0);
    for (const polygon of polygons) {
      assert.ok(polygon.length >= 6 && polygon.length % 2 === 0);
      for (const [i, place] of polygon.entries()) {
        const [from, length] = i % 2 ? [box.y, box.height] : [box.x, box.width];
        assert.ok(place >= from && place <= from + length, `${place}`);
      }
    }
    // Holes are not told apart from what is around them, so that only the outer bound holds for the sum.
    const sum = polygons.reduce((total, each) => total + areaOf(each), 0);
    assert.ok(sum >= area * 0.9, `${sum} ${area}`);
  }
});

test('a mask has fewer pixels at a higher threshold, and a segment is left out below its own', async () => {
  const area = async (maskThreshold: number) =>
    (await segmentsOf('mask-rcnn', 'wide.png', { maskThreshold, format: 'rle' }))[0]!.area;
  assert.ok((await area(0.6)) < (await area(0.5)));
  const all = await segmentsOf('mask-rcnn', 'wide.png', { format: 'rle' });
  const threshold = all[1]!.confidence - 1e-4;
  assert.equal((await segmentsOf('mask-rcnn', 'wide.png', { threshold })).length, 2);
});

test('the overlay is the picture in which each segment has the colour of its class', async () => {
  const { images } = imagesOf(['wide.png']);
  const input = { ...imagesOf(['wide.png']), format: 'rle', overlay: true } as const;
  const { results } = await models.ask(segment, 'fcn', input);
  const [{ segments, overlay }] = results as [(typeof results)[0]];
  const { data, info } = await sharp(overlay!).raw().toBuffer({ resolveWithObject: true });
  const before = await sharp(images[0]!).raw().toBuffer();
  assert.deepEqual([info.width, info.height, info.channels], [128, 96, 3]);
  const { labels } = models.model('fcn');
  for (const each of segments) {
    const mask = flatMask((each.mask as RunLengths).counts);
    const color = colorOf(labels.indexOf(each.class));
    mask.forEach((bit, at) => {
      if (bit === 0) return;
      const pixel = (at % info.height) * info.width + Math.floor(at / info.height);
      for (let channel = 0; channel < 3; channel += 1) {
        const was = before[3 * pixel + channel]!;
        // The background is not coloured.
        const expected = each.class === 'background' ? was : (was + color[channel]!) / 2;
        assert.ok(Math.abs(data[3 * pixel + channel]! - expected) <= 1, `${each.class} ${pixel}`);
      }
    });
  }
});

test('masks are not written when nobody waits for them any more', async () => {
  const ask = (waiter: ImageWaiter) => models.ask(segment, 'fcn', imagesOf(['wide.png']), waiter);
  // The time ends after the image was decoded.
  const times = [1000, 0];
  await assert.rejects(
    ask({ timeLeft: () => times.shift() }),
    refused('DEADLINE_EXCEEDED', /not answered by its deadline/),
  );
  const controller = new AbortController();
  const reason = new Error('The client is gone');
  let asked = 0;
  const late = ask({
    signal: controller.signal,
    timeLeft() {
      asked += 1;
      // Before the first mask.
      if (asked === 2) controller.abort(reason);
      return undefined;
    },
  });
  await assert.rejects(late, (error) => error === reason);
});

test('a detector has no masks', async () => {
  const asked = models.ask(segment, 'detr', imagesOf(['wide.png']));
  await assert.rejects(asked, refused('WRONG_TASK', /its outputs have no masks/));
});

/** The smallest box that holds the pixels, which lie down the columns. */
function boxOf(flat: Uint8Array, height: number) {
  const places = [...flat.keys()].filter((at) => flat[at] === 1);
  const columns = places.map((at) => Math.floor(at / height));
  const rows = places.map((at) => at % height);
  const [x, y] = [Math.min(...columns), Math.min(...rows)];
  return { x, y, width: Math.max(...columns) - x + 1, height: Math.max(...rows) - y + 1 };
}

/** Rows of 0 and 255 as columns of 0 and 1. */
const turned = (pixels: Uint8Array, height: number, width: number): Uint8Array =>
  Uint8Array.from(pixels, (_, at) => {
    const pixel = pixels[(at % height) * width + Math.floor(at / height)]!;
    assert.ok(pixel === 0 || pixel === 255);
    return pixel / 255;
  });

/** The area of a polygon by the shoelace formula. */
function areaOf(polygon: readonly number[]): number {
  let twice = 0;
  for (let i = 0; i < polygon.length; i += 2) {
    const next = (i + 2) % polygon.length;
    twice += polygon[i]! * polygon[next + 1]! - polygon[next]! * polygon[i + 1]!;
  }
  return Math.abs(twice) / 2;
}
