import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  boxOptions,
  Generator,
  detections as native,
  plain,
  type Row,
  yoloColumns,
} from '../../native/detection-cases.ts';

interface Detection {
  readonly box: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
  readonly class: string;
  readonly confidence: number;
}

interface Page {
  chooseBoxes(all: readonly Detection[], threshold: number, iou: number | undefined): Detection[];
  pairBoxes(
    first: readonly Detection[],
    second: readonly Detection[],
  ): {
    pairs: [Detection, Detection][];
    onlyFirst: Detection[];
    onlySecond: Detection[];
  };
}

const script = new URL('../../../services/playground/page/boxes.js', import.meta.url).href;
const { chooseBoxes, pairBoxes } = (await import(script)) as Page;

const CLASSES = 3;

/** Boxes within an image of 64 × 64, many of which have equal scores or overlaps. */
function boxesOf(seed: number): Row[] {
  const generator = new Generator(seed);
  return Array.from({ length: 60 }, (): Row => {
    const [left, top] = [generator.below(80) / 2, generator.below(80) / 2];
    const corners = [left, top, left + 8 + generator.below(17), top + 8 + generator.below(17)];
    return [corners, (1 + generator.below(15)) / 16, generator.below(CLASSES)];
  });
}

/** What the server finds in the output, as `/detect` answers it. */
async function detect(rows: readonly Row[], threshold: number, iou: number): Promise<Detection[]> {
  const { corners, scores, classes } = await native.boxes(
    { kind: 'yolo', classes: CLASSES, objectness: false, extra: 0 },
    [yoloColumns(rows, CLASSES)],
    plain(64, 64),
    boxOptions({ threshold, iou }),
  );
  return Array.from(scores, (confidence, i) => {
    const [x, y, right, bottom] = corners.subarray(4 * i) as unknown as number[];
    const box = { x: x!, y: y!, width: right! - x!, height: bottom! - y! };
    return { box, class: String(classes[i]), confidence };
  });
}

test('the page chooses among boxes as the server does', async () => {
  let suppressed = 0;
  for (let seed = 0; seed < 40; seed += 1) {
    const rows = boxesOf(seed);
    const all = await detect(rows, 0.05, 1);
    for (const [threshold, iou] of [
      [0.05, 0.1],
      [0.05, 0.3],
      [0.05, 0.5],
      [0.25, 0.45],
      [0.5, 0.6],
      [0.9, 0],
    ] as const) {
      const expected = await detect(rows, threshold, iou);
      assert.deepEqual(chooseBoxes(all, threshold, iou), expected, `${seed} ${threshold} ${iou}`);
      suppressed += all.length - expected.length;
    }
  }
  assert.ok(suppressed > 1000);
});

const detection = (name: string, confidence: number, x: number): Detection => ({
  class: name,
  confidence,
  box: { x, y: 0, width: 10, height: 10 },
});

test('models that suppress boxes themselves only have a threshold', () => {
  const all = [detection('cat', 0.9, 0), detection('cat', 0.8, 0), detection('cat', 0.1, 0)];
  assert.deepEqual(chooseBoxes(all, 0.5, undefined), all.slice(0, 2));
});

describe('boxes of two models', () => {
  test('make a pair with the nearest of their class, each once', () => {
    const first = [detection('cat', 0.9, 0), detection('cat', 0.8, 1), detection('dog', 0.7, 0)];
    const second = [detection('cat', 0.6, 2), detection('cat', 0.5, 0)];
    const { pairs, onlyFirst, onlySecond } = pairBoxes(first, second);
    assert.deepEqual(pairs, [
      [first[0], second[1]],
      [first[1], second[0]],
    ]);
    assert.deepEqual([onlyFirst, onlySecond], [[first[2]], []]);
  });

  test('make none if they overlap by less than half', () => {
    const [a, b] = [detection('cat', 0.9, 0), detection('cat', 0.9, 4)];
    assert.deepEqual(pairBoxes([a], [b]), { pairs: [], onlyFirst: [a], onlySecond: [b] });
  });
});
