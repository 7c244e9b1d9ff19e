/** @module The mean average precision of boxes on drawn pictures, compared with that of torchvision's boxes by pycocotools. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type BoxOptions, type Engine, openEngine } from '../../../../native/index.ts';
import { type FoundBox, meanPrecision, type Rectangle, type TrueBox } from './mean-precision.ts';

interface Picture {
  readonly size: readonly [number, number];
  readonly place: readonly [number, number];
  readonly scale: readonly [number, number];
  readonly truths: readonly { readonly class: number; readonly box: Rectangle }[];
  readonly rows: readonly (readonly number[])[];
}

interface Fixture extends Pick<BoxOptions, 'threshold' | 'iou' | 'maxDetections'> {
  readonly classes: number;
  readonly side: number;
  readonly precision: Readonly<Record<'all' | 'half' | 'unsuppressed', number>>;
  readonly pictures: readonly Picture[];
}

const fixture: Fixture = JSON.parse(
  readFileSync('test/fixtures/vision/mean-precision.json', 'utf8'),
);
const TOLERANCE = 1e-3;

let engine: Engine;
before(() => {
  engine = openEngine();
});
after(() => engine.close());

/** Our boxes of all pictures. */
async function boxesOf(options: Partial<BoxOptions> = {}): Promise<FoundBox[]> {
  const { classes, side, threshold, iou, maxDetections } = fixture;
  const found: FoundBox[] = [];
  for (const [picture, { size, place, scale, rows }] of fixture.pictures.entries()) {
    const geometry = {
      ...{ left: place[0], top: place[1], scaleX: scale[0], scaleY: scale[1] },
      ...{ canvasWidth: side, canvasHeight: side, width: size[0], height: size[1] },
    };
    const tensor = { data: Float32Array.from(rows.flat()), dims: [rows.length, rows[0]!.length] };
    const head = { kind: 'yolo', objectness: false, classes, extra: 0 } as const;
    const boxes = await engine.images.boxes(head, [tensor], geometry, {
      ...{ threshold, iou, maxDetections, agnostic: false, nms: 'hard' },
      ...options,
    });
    for (let i = 0; i < boxes.count; i += 1) {
      const [left, top, right, bottom] = boxes.corners.subarray(4 * i, 4 * i + 4);
      const box = [left!, top!, right! - left!, bottom! - top!] as const;
      found.push({ picture, class: boxes.classes[i]!, score: boxes.scores[i]!, box });
    }
  }
  return found;
}

const truths: readonly TrueBox[] = fixture.pictures.flatMap((each, picture) =>
  each.truths.map((truth) => ({ picture, ...truth })),
);

test('boxes that nothing suppresses have the precision that pycocotools says', async () => {
  const actual = meanPrecision(await boxesOf({ iou: 1 }), truths, fixture.classes);
  assert.ok(Math.abs(actual - fixture.precision.unsuppressed) < TOLERANCE, String(actual));
});

test('suppressed boxes have the precision of the reference', async () => {
  const found = await boxesOf();
  const all = meanPrecision(found, truths, fixture.classes);
  assert.ok(Math.abs(all - fixture.precision.all) < TOLERANCE, String(all));
  const half = meanPrecision(found, truths, fixture.classes, [0.5]);
  assert.ok(Math.abs(half - fixture.precision.half) < TOLERANCE, String(half));
});

test('the precision of another suppression differs', async () => {
  const other = meanPrecision(await boxesOf({ iou: 0.8 }), truths, fixture.classes);
  assert.ok(Math.abs(other - fixture.precision.all) > 2 * TOLERANCE, String(other));
});
