/** @module Boxes that the outputs of detectors describe are those of torchvision and transformers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  Boxes,
  BoxHead,
  BoxOptions,
  CanvasGeometry,
  HeadTensor,
} from '../../native/image-types.ts';
import {
  boxOptions,
  detections,
  fixtures,
  Generator,
  plain,
  type Row,
  stretched,
  yoloColumns,
  yoloRows,
} from './detection-cases.ts';

const tensor = (dims: readonly number[], data: readonly number[]): HeadTensor => ({
  data: Float32Array.from(data),
  dims,
});

const yolo = (classes: number, objectness = false, extra = 0) =>
  ({ kind: 'yolo', classes, objectness, extra }) as const;

/** The same sets of boxes as `boxes_of` in postprocess.py. */
function boxesOf(number: number) {
  const generator = new Generator(number);
  const count = number % 200 === 0 ? 1500 : 1 + generator.below(80);
  const classes = 1 + generator.below(4);
  const tenths = 1 + generator.below(9);
  const iou = generator.below(2) ? tenths / 10 : 0.5;
  const rows = Array.from({ length: count }, (): Row => {
    const left = generator.below(40) / 2;
    const top = generator.below(40) / 2;
    const corners = [left, top, left + 8 + generator.below(17), top + 8 + generator.below(17)];
    const score = (1 + generator.below(15)) / 16;
    return [corners, score, generator.below(classes)];
  });
  return { rows, classes, iou };
}

describe('the boxes of a YOLO head', () => {
  test('are suppressed as by torchvision, on 1,000 sets with ties, in either layout', async () => {
    for (const [number, [byClass, among]] of fixtures.nms.entries()) {
      const { rows, classes, iou } = boxesOf(number);
      const output = number % 2 === 0 ? yoloColumns(rows, classes) : yoloRows(rows, classes);
      for (const agnostic of [false, true]) {
        const boxes = await detections.boxes(
          yolo(classes, number % 2 !== 0),
          [output],
          plain(64, 64),
          boxOptions({ iou, agnostic }),
        );
        const expected = agnostic ? among : byClass;
        assert.deepEqual([...boxes.sources], expected, `set ${number}, agnostic ${agnostic}`);
      }
    }
  });

  test('are in pixels of the image, and clipped to it', async () => {
    const geometry = {
      left: 10,
      top: 0,
      scaleX: 0.5,
      scaleY: 0.25,
      canvasWidth: 100,
      canvasHeight: 100,
      width: 160,
      height: 400,
    };
    const rows: Row[] = [
      [[20, 20, 40, 60], 0.9, 0],
      [[0, -10, 30, 30], 0.8, 1],
      // The box lies beside the image.
      [[92, 0, 99, 50], 0.7, 0],
    ];
    const boxes = await detections.boxes(
      yolo(2),
      [yoloColumns(rows, 2)],
      geometry,
      boxOptions({ threshold: 0.1 }),
    );
    assert.equal(boxes.count, 2);
    assert.deepEqual([...boxes.corners], [20, 80, 60, 240, 0, 0, 40, 120]);
    assert.deepEqual([...boxes.scores], [Math.fround(0.9), Math.fround(0.8)]);
    assert.deepEqual([...boxes.classes], [0, 1]);
  });

  test('are those of the wanted classes, above the threshold, and not more than wanted', async () => {
    const rows = Array.from(
      { length: 9 },
      (_, i): Row => [[i * 8, 0, i * 8 + 6, 6], (i + 1) / 16, i % 3],
    );
    const find = (options: Parameters<typeof boxOptions>[0]) =>
      detections.boxes(yolo(3), [yoloColumns(rows, 3)], plain(80, 80), boxOptions(options));
    assert.deepEqual([...(await find({ threshold: 4 / 16 })).sources], [8, 7, 6, 5, 4]);
    assert.deepEqual([...(await find({ maxDetections: 2 })).sources], [8, 7]);
    assert.deepEqual(
      [...(await find({ classes: Int32Array.of(2, 0) })).sources],
      [8, 6, 5, 3, 2, 0],
    );
    assert.equal((await find({ classes: new Int32Array(0) })).count, 0);
  });

  test('lose score by their overlap with soft suppression', async () => {
    // The overlap is 1/3, so the second score becomes 0.5 e^(-(1/3)²/0.5).
    const rows: Row[] = [
      [[5, 0, 15, 10], 0.5, 0],
      [[0, 0, 10, 10], 0.75, 0],
      [[5, 0, 15, 10], 0.45, 1],
    ];
    const find = (options: Parameters<typeof boxOptions>[0]) =>
      detections.boxes(
        yolo(2),
        [yoloColumns(rows, 2)],
        plain(64, 64),
        boxOptions({ nms: 'soft', ...options }),
      );
    const boxes = await find({});
    assert.deepEqual([...boxes.sources], [1, 2, 0]);
    assert.ok(Math.abs(boxes.scores[2]! - 0.5 * Math.exp(-2 / 9)) < 1e-6);
    assert.deepEqual([...(await find({ threshold: 0.41 })).sources], [1, 2]);
    // Among all classes, the third box is suppressed by both others.
    assert.deepEqual([...(await find({ threshold: 0.3, agnostic: true })).sources], [1, 0]);
  });

  test('with numbers that are not finite are left out', async () => {
    const rows = Array.from({ length: 6 }, (_, i): Row => [[i * 8, 0, i * 8 + 6, 6], 0.5, i % 2]);
    const output = yoloColumns(rows, 2);
    output.data[0] = Number.NaN;
    output.data[6 * 3 + 1] = Number.POSITIVE_INFINITY;
    output.data[6 * 4 + 2] = Number.NaN;
    output.data[6 * 5 + 3] = Number.POSITIVE_INFINITY;
    const boxes = await detections.boxes(yolo(2), [output], plain(64, 64), boxOptions());
    assert.deepEqual([...boxes.sources], [4, 5]);
  });
});

/** Asserts boxes as `detected` in postprocess.py wrote them. */
function assertDetected(
  boxes: Boxes,
  expected: { scores: number[]; classes: number[]; corners: number[][] },
): void {
  assert.deepEqual([...boxes.classes], expected.classes);
  for (const [i, score] of expected.scores.entries()) {
    assert.ok(Math.abs(boxes.scores[i]! - score) < 2e-6);
    for (const [axis, value] of expected.corners[i]!.entries()) {
      assert.ok(Math.abs(boxes.corners[4 * i + axis]! - value) < 2e-3);
    }
  }
}

describe('the boxes of a DETR head', () => {
  const generator = new Generator(7);
  const logits = generator.tensor([50, 11], 2);
  for (const i of logits.data.keys()) logits.data[i]! += i / 2 ** 20;
  const centres = generator.tensor([50, 2], 1);
  const sizes = generator.tensor([50, 2], 1);
  const boxes = tensor(
    [50, 4],
    Array.from({ length: 200 }, (_, i) => {
      const [query, axis] = [Math.floor(i / 4), i % 4];
      return axis < 2
        ? 0.5 + centres.data[2 * query + axis]! / 8
        : 0.25 + sizes.data[2 * query + axis - 2]! / 8;
    }),
  );
  const find = (activation: 'softmax' | 'sigmoid', maxDetections = 300) =>
    detections.boxes(
      { kind: 'detr', activation },
      [logits, boxes],
      stretched(800, 750, 640, 480),
      boxOptions({ threshold: 0.3, maxDetections }),
    );

  test('are those of transformers', async () => {
    assertDetected(await find('softmax'), fixtures.detr.softmax);
    assertDetected(await find('sigmoid'), fixtures.detr.sigmoid);
    assertDetected(await find('sigmoid', 20), fixtures.detr.top20);
  });

  test('are left out where a logit is not a number', async () => {
    const data = logits.data.slice().fill(Number.NaN, 0, 11 * 49);
    const found = await detections.boxes(
      { kind: 'detr', activation: 'softmax' },
      [{ data, dims: logits.dims }, boxes],
      plain(640, 480),
      boxOptions(),
    );
    assert.deepEqual([...found.sources], [49]);
  });
});

describe('boxes that are listed', () => {
  test('are all kept, by falling score, and in the order of the output if equal', async () => {
    const same = [0, 0, 10, 10];
    const scores = [0.5, 0.75, 0.5, Number.NaN, 0.75];
    const found = await detections.boxes(
      { kind: 'listed' },
      [
        tensor(
          [5, 4],
          scores.flatMap(() => same),
        ),
        tensor([5], scores),
        tensor([5], [3, 1, 2, 1, -1]),
      ],
      plain(64, 64),
      boxOptions({ threshold: 0.25 }),
    );
    assert.deepEqual([...found.sources], [1, 0, 2]);
    assert.deepEqual([...found.classes], [1, 3, 2]);
  });

  test('with suppression inside the model have six columns and coefficients', async () => {
    const rows = [
      [1, 2, 3, 4, 0.5, 7, 9],
      [0, 0, 0, 0, 0, 0, 0],
      [5, 6, 7, 8, 0.75, 2, 9],
    ];
    const found = await detections.boxes(
      { kind: 'yolo-nms', extra: 1 },
      [tensor([3, 7], rows.flat())],
      plain(64, 64),
      boxOptions(),
    );
    assert.deepEqual([...found.corners], [5, 6, 7, 8, 1, 2, 3, 4]);
    assert.deepEqual([...found.classes], [2, 7]);
  });
});

interface Changes {
  readonly head?: BoxHead;
  readonly tensors?: readonly HeadTensor[];
  readonly geometry?: CanvasGeometry;
  readonly options?: BoxOptions;
}

describe('what cannot be read', () => {
  const box = tensor([6, 1], [4, 4, 2, 2, 0.5, 0.5]);
  const refused: Readonly<Record<string, [Changes, RegExp]>> = {
    'a shape of other data': [{ tensors: [{ ...box, dims: [6, 2] }] }, /\[6, 2\] and 6 elements/],
    'a shape that overflows': [{ tensors: [{ ...box, dims: [2 ** 40, 2 ** 40] }] }, /shape/],
    'a shape of another rank': [{ tensors: [{ ...box, dims: [6] }] }, /expected 2 dimensions/],
    'a number of classes that does not fit': [{ head: yolo(3) }, /expected 7 in dimension 0/],
    'a number of classes that is none': [{ head: yolo(Number.NaN) }, /whole numbers/],
    'too few outputs': [{ head: { kind: 'listed' } }, /needs 3 outputs, but got 1/],
    'data of another type': [
      { tensors: [{ ...box, data: new Float64Array(6) as unknown as Float32Array }] },
      /not a Float32Array/,
    ],
    'an image without pixels': [{ geometry: plain(0, 5) }, /sides/],
    'an image with too many pixels': [{ geometry: plain(65535, 65535) }, /268435456/],
    'a scale of 0': [{ geometry: { ...plain(9, 9), scaleX: 0 } }, /scale/],
    'a place that is not finite': [{ geometry: { ...plain(9, 9), left: Number.NaN } }, /finite/],
    'a threshold of 2': [{ options: boxOptions({ threshold: 2 }) }, /from 0 to 1/],
    'no detections': [{ options: boxOptions({ maxDetections: 0 }) }, /maxDetections/],
    'half a detection': [{ options: boxOptions({ maxDetections: 1.5 }) }, /maxDetections/],
  };
  for (const [name, [changes, message]] of Object.entries(refused)) {
    test(`${name} is refused`, async () => {
      const { head, tensors, geometry, options } = changes;
      await assert.rejects(
        detections.boxes(
          head ?? yolo(2),
          tensors ?? [box],
          geometry ?? plain(64, 64),
          options ?? boxOptions(),
        ),
        { name: 'MillraceError', code: 'INVALID_ARGUMENT', message },
      );
    });
  }
});
