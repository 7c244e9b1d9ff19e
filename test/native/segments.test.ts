/** @module Segments that outputs describe are those of transformers and torchvision, and masks those of pycocotools. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  HeadTensor,
  Mask,
  Segment,
  SegmentHead,
  SegmentOptions,
} from '../../native/image-types.ts';
import {
  boxOptions,
  detections,
  fixtures,
  Generator,
  plain,
  stretched,
} from './detection-cases.ts';

/** A mask as `described` in postprocess.py writes it. */
type Described = readonly [counts: readonly number[], area: number, box: readonly number[]];

const segmentOptions = (options: Partial<SegmentOptions> = {}): SegmentOptions => ({
  ...boxOptions(),
  maskThreshold: 0.5,
  ...options,
});

const maskOf = (width: number, height: number, counts: readonly number[]): Mask => ({
  width,
  height,
  counts: Uint32Array.from(counts),
  area: 0,
  box: [0, 0, 0, 0],
});

function assertMask(mask: Mask, [counts, area, box]: Described): void {
  assert.deepEqual([...mask.counts], counts);
  assert.equal(mask.area, area);
  assert.deepEqual([...mask.box], box);
}

/** Returns the intersection over the union of two masks of one size. */
async function overlap(one: Mask, counts: readonly number[]): Promise<number> {
  const [a, b] = await Promise.all([
    detections.bitmap(one),
    detections.bitmap(maskOf(one.width, one.height, counts)),
  ]);
  const common = a.filter((value, i) => value !== 0 && b[i] !== 0).length;
  const all = a.filter((value, i) => value !== 0 || b[i] !== 0).length;
  return common / all;
}

/** Returns each value of a tensor as a block of `factor` × `factor` equal ones. */
function repeated({ data, dims }: HeadTensor, factor: number): HeadTensor {
  const [width, height] = [dims.at(-1)!, dims.at(-2)!];
  const planes = data.length / (width * height);
  const [wide, high] = [width * factor, height * factor];
  const values = Float32Array.from({ length: planes * wide * high }, (_, i) => {
    const [x, y] = [i % wide, Math.floor(i / wide) % high];
    const plane = Math.floor(i / (wide * high));
    return data[(plane * height + Math.floor(y / factor)) * width + Math.floor(x / factor)]!;
  });
  return { data: values, dims: [...dims.slice(0, -2), high, wide] };
}

describe('the segments of a semantic head', () => {
  const cases = [
    [8, 90, 120],
    [2, 90, 120],
    [8, 5, 7],
  ] as const;
  for (const [number, [span, height, width]] of cases.entries()) {
    test(`are those of transformers on ${width} × ${height} pixels, of logits to ${span}`, async () => {
      const logits = new Generator(11).tensor([21, 12, 16], span);
      const segments = await detections.segments(
        { kind: 'semantic' },
        [logits],
        stretched(512, 512, width, height),
        segmentOptions(),
      );
      const expected = fixtures.semantic[number] as [number, number, ...Described][];
      assert.deepEqual(
        segments.map((segment) => segment.class),
        expected.map(([label]) => label),
      );
      for (const [i, [, score, ...mask]] of expected.entries()) {
        assertMask(segments[i]!.mask, mask);
        assert.ok(Math.abs(segments[i]!.score - score) < 2e-6, `${segments[i]!.score} ${score}`);
      }
    });
  }

  test('with one class have the pixels whose sigmoid is at least the threshold', async () => {
    const [segment, ...others] = await detections.segments(
      { kind: 'semantic' },
      [new Generator(13).tensor([1, 12, 16], 4)],
      stretched(64, 48, 120, 90),
      segmentOptions({ maskThreshold: 0.25 }),
    );
    const [score, ...mask] = fixtures.foreground as [number, ...Described];
    assertMask(segment!.mask, mask);
    assert.ok(Math.abs(segment!.score - score) < 1e-6);
    assert.equal(others.length, 0);
  });

  test('are only those of wanted classes', async () => {
    const segments = await detections.segments(
      { kind: 'semantic' },
      [new Generator(11).tensor([21, 12, 16])],
      stretched(512, 512, 120, 90),
      segmentOptions({ classes: Int32Array.of(20, 3, 99) }),
    );
    assert.deepEqual(
      segments.map((segment) => segment.class),
      [3, 20],
    );
  });

  test('do not have the pixels that the canvas does not show', async () => {
    // The canvas is the centre of the image.
    const data = new Float32Array(2 * 4 * 4).fill(1, 16);
    const segments = await detections.segments(
      { kind: 'semantic' },
      [{ data, dims: [2, 4, 4] }],
      { ...plain(20, 10), left: -6, top: -1, canvasWidth: 8, canvasHeight: 8 },
      segmentOptions(),
    );
    assert.equal(segments.length, 1);
    assert.deepEqual(segments[0]!.mask.box, [6, 1, 8, 8]);
    assert.equal(segments[0]!.mask.area, 64);
  });

  test('do not have the pixels for which no class has a number', async () => {
    const data = new Float32Array(3 * 2 * 2).fill(Number.NaN);
    const find = () =>
      detections.segments(
        { kind: 'semantic' },
        [{ data, dims: [3, 2, 2] }],
        plain(2, 2),
        segmentOptions(),
      );
    assert.deepEqual(await find(), []);
    data[4] = 7;
    data[8 + 3] = Number.POSITIVE_INFINITY;
    const segments = await find();
    assert.deepEqual(
      segments.map(({ class: label, score, mask }) => [label, score, [...mask.counts]]),
      [
        [1, 1, [0, 1, 3]],
        [2, 1, [3, 1]],
      ],
    );
  });
});

describe('the segments of MaskFormer', () => {
  const generator = new Generator(17);
  const classes = generator.tensor([8, 9], 4);
  const owners = Array.from({ length: 12 }, () => generator.below(8));
  const coarse = generator.tensor([8, 3, 4], 1);
  for (const i of coarse.data.keys()) coarse.data[i]! -= 3;
  for (const [place, owner] of owners.entries()) coarse.data[owner * 12 + place]! += 8;
  const masks = repeated(coarse, 4);

  for (const [number, threshold] of [0.3, 0.6].entries()) {
    test(`are those of transformers, above ${threshold}`, async () => {
      const segments = await detections.segments(
        { kind: 'maskformer' },
        [classes, masks],
        stretched(128, 96, 120, 90),
        segmentOptions({ threshold, maskThreshold: 0.3 }),
      );
      const expected = fixtures.panoptic[number] as [number, number, ...Described][];
      assert.equal(segments.length, expected.length);
      for (const [i, [label, score, ...mask]] of expected.entries()) {
        assert.equal(segments[i]!.class, label);
        assert.ok(Math.abs(segments[i]!.score - score) < 2e-6);
        assertMask(segments[i]!.mask, mask);
      }
    });
  }
});

/** The boxes of `pasted` in postprocess.py, as outputs. */
const places = [
  [10, 12, 60, 70],
  [0, 0, 99, 79],
  [50.5, 40.25, 99.75, 79.5],
  [3, 3, 4, 5],
  [20, 0, 25.5, 80],
  [60, 10, 90, 30],
];
const listed: readonly HeadTensor[] = [
  { data: Float32Array.from(places.flat()), dims: [6, 4] },
  { data: Float32Array.of(0.9, 0.8, 0.7, 0.6, 0.5, 0.4), dims: [6] },
  { data: Float32Array.of(1, 2, 3, 1, 2, 3), dims: [6] },
];

describe('the segments of Mask R-CNN', () => {
  const halves = new Generator(19).tensor([6, 1, 7, 7], 1);
  const masks = repeated({ ...halves, data: halves.data.map((value) => (value + 1) / 2) }, 4);

  test('are masks of boxes laid into the image as by torchvision', async () => {
    const segments = await detections.segments(
      { kind: 'mask-rcnn', inBoxes: true },
      [...listed, masks],
      plain(100, 80),
      segmentOptions(),
    );
    assert.deepEqual(
      segments.map((segment) => segment.class),
      [1, 2, 3, 1, 2, 3],
    );
    for (const [i, mask] of fixtures.pasted.entries()) assertMask(segments[i]!.mask, mask);
  });

  test('are masks over the canvas, interpolated to the image', async () => {
    const whole = { data: new Float32Array(6 * 8 * 10), dims: [6, 1, 8, 10] };
    // The first mask has the columns 2 to 4, and the third one pixel.
    for (let y = 0; y < 8; y++) whole.data.fill(1, y * 10 + 2, y * 10 + 5);
    whole.data[2 * 80 + 79] = 1;
    const segments = await detections.segments(
      { kind: 'mask-rcnn', inBoxes: false },
      [...listed, whole],
      stretched(100, 80, 20, 16),
      segmentOptions(),
    );
    assert.deepEqual(
      segments.map(({ class: label, mask }) => [label, mask.area, mask.box]),
      [
        [1, 96, [4, 0, 6, 16]],
        [3, 4, [18, 14, 2, 2]],
      ],
    );
  });
});

describe('the segments of a YOLO head with prototypes', () => {
  const prototypes = new Generator(23).tensor([4, 16, 20], 1);
  const weights = new Generator(29).tensor([3, 4], 4).data;
  const boxes = [
    [10.5, 5, 70, 50.25],
    [0, 0, 120, 60],
    [100, 20.5, 119.5, 30],
  ];
  // The image fills 80 × 40 pixels of the canvas.
  const scale = 2 / 3;
  const geometry = {
    left: 0,
    top: 12,
    scaleX: scale,
    scaleY: scale,
    canvasWidth: 80,
    canvasHeight: 64,
    width: 120,
    height: 60,
  };
  const corners = boxes.map((box) => box.map((side, i) => side * scale + (i % 2 ? 12 : 0)));
  const scores = [0.9, 0.8, 0.7];

  const rows = corners.map(([left, top, right, bottom], i) => [
    ...[(left! + right!) / 2, (top! + bottom!) / 2, right! - left!, bottom! - top!],
    ...[i === 0 ? scores[i]! : 0, i === 0 ? 0 : scores[i]!],
    ...weights.subarray(4 * i, 4 * i + 4),
  ]);
  const heads: Readonly<Record<string, [SegmentHead, HeadTensor]>> = {
    'v8 and later': [
      {
        kind: 'yolo-seg',
        boxes: { kind: 'yolo', objectness: false, classes: 2, extra: 4 },
      },
      {
        data: Float32Array.from({ length: 30 }, (_, i) => rows[i % 3]![Math.floor(i / 3)]!),
        dims: [10, 3],
      },
    ],
    v5: [
      { kind: 'yolo-seg', boxes: { kind: 'yolo', objectness: true, classes: 2, extra: 4 } },
      {
        data: Float32Array.from(rows.flatMap((row) => [...row.slice(0, 4), 1, ...row.slice(4)])),
        dims: [3, 11],
      },
    ],
    'suppression inside the model': [
      { kind: 'yolo-seg', boxes: { kind: 'yolo-nms', extra: 4 } },
      {
        data: Float32Array.from(
          rows.flatMap((row, i) => [...corners[i]!, scores[i]!, i === 0 ? 0 : 1, ...row.slice(6)]),
        ),
        dims: [3, 10],
      },
    ],
  };
  for (const [name, [head, tensor]] of Object.entries(heads)) {
    test(`are those that its authors describe, of ${name}`, async () => {
      const segments = await detections.segments(
        head,
        [tensor, prototypes],
        geometry,
        segmentOptions({ threshold: 0.5, iou: 0.9 }),
      );
      assert.deepEqual(
        segments.map((segment) => segment.class),
        [0, 1, 1],
      );
      for (const [i, [counts]] of (fixtures.weighed as Described[]).entries()) {
        const share = await overlap(segments[i]!.mask, counts);
        assert.ok(share >= 0.99, `mask ${i} has an overlap of ${share}`);
      }
    });
  }
});

test('a letterboxed image has the values of prototypes that Ultralytics cuts out for it', async () => {
  const disc = Float32Array.from(
    { length: 400 },
    (_, i) => 9 - ((i % 20) - 11) ** 2 - (Math.floor(i / 20) - 9) ** 2,
  );
  const geometry = { ...stretched(80, 80, 1000, 670), top: 13, scaleY: 54 / 670 };
  const [segment] = await detections.segments(
    { kind: 'yolo-seg', boxes: { kind: 'yolo-nms', extra: 1 } },
    [
      { data: Float32Array.of(0, 0, 80, 80, 0.9, 0, 1), dims: [1, 7] },
      { data: disc, dims: [1, 20, 20] },
    ],
    geometry,
    segmentOptions(),
  );
  const [counts] = fixtures.letterboxed as Described;
  const share = await overlap(segment!.mask, counts);
  // With the place where the image really lies, it is 0.96.
  assert.ok(share >= 0.999, `the overlap is ${share}`);
});

/** Returns the mask that polygons fill by the even-odd rule, for the centres of pixels. */
function filled(polygons: readonly (readonly number[])[], width: number, height: number) {
  const pixels = new Uint8Array(width * height);
  for (const polygon of polygons) {
    for (let i = 0; i < polygon.length; i += 2) {
      const [x, y] = [polygon[i]!, polygon[i + 1]!];
      const next = (i + 2) % polygon.length;
      assert.ok(x === polygon[next] || y === polygon[next + 1], 'an edge is slanted');
      // A vertical edge turns over all pixels at its right.
      for (
        let row = Math.min(y, polygon[next + 1]!);
        row < Math.max(y, polygon[next + 1]!);
        row++
      ) {
        for (let column = x; column < width; column++) pixels[row * width + column]! ^= 255;
      }
    }
  }
  return pixels;
}

describe('a mask', () => {
  const shapes = fixtures.shapes as [...Described, [number, number]][];

  test('has the counts, the area and the box of pycocotools', async () => {
    for (const [counts, area, box, [height, width]] of shapes) {
      const bitmap = await detections.bitmap(maskOf(width, height, counts));
      const data = Float32Array.from(bitmap, (value) => (value ? 1 : -1));
      const segments: readonly Segment[] = await detections.segments(
        { kind: 'semantic' },
        [{ data, dims: [1, height, width] }],
        plain(width, height),
        segmentOptions(),
      );
      if (area === 0) assert.equal(segments.length, 0);
      else assertMask(segments[0]!.mask, [counts, area, box]);
    }
  });

  test('becomes bytes, row by row', async () => {
    const bitmap = await detections.bitmap(maskOf(3, 2, [1, 2, 2, 1]));
    assert.deepEqual([...bitmap], [0, 255, 0, 255, 0, 255]);
    // More columns than a strip has.
    const wide = await detections.bitmap(maskOf(200, 3, [299, 1, 300]));
    assert.equal(wide.indexOf(255), 2 * 200 + 99);
    assert.equal(wide.lastIndexOf(255), 2 * 200 + 99);
  });

  test('is filled by its polygons', async () => {
    for (const [counts, , , [height, width]] of shapes) {
      const mask = maskOf(width, height, counts);
      const polygons = await detections.polygons(mask);
      assert.deepEqual(filled(polygons, width, height), await detections.bitmap(mask));
    }
  });

  test('has one polygon for each part, in which seams lead to holes', async () => {
    // A ring with a dot in the middle, and a pixel that touches it at a corner.
    const rows = ['00000001', '1111111.', '1.....1.', '1..1..1.', '1.....1.', '1111111.'];
    const [width, height] = [8, 6];
    const counts: number[] = [0];
    for (let place = 0; place < width * height; place++) {
      const one = rows[place % height]![Math.floor(place / height)] === '1';
      if (one !== (counts.length % 2 === 0)) counts.push(0);
      counts[counts.length - 1]! += 1;
    }
    const polygons = await detections.polygons(maskOf(width, height, counts));
    // These polygons are in postprocess.py, too: pycocotools fills them to the same pixels.
    assert.deepEqual(counts, fixtures.outlined);
    assert.deepEqual(polygons, [
      [0, 1, 7, 1, 7, 6, 0, 6, 0, 2, 1, 2, 1, 5, 6, 5, 6, 2, 1, 2, 0, 2],
      [3, 3, 4, 3, 4, 4, 3, 4],
      [7, 0, 8, 0, 8, 1, 7, 1],
    ]);
  });

  test('without pixels has no polygons', async () => {
    assert.deepEqual(await detections.polygons(maskOf(4, 3, [12])), []);
  });

  const refused: Readonly<Record<string, [Mask, RegExp]>> = {
    'too few counts': [maskOf(4, 3, [5, 6]), /width × height, 12/],
    'too many counts': [maskOf(4, 3, [2 ** 32 - 1, 13]), /width × height, 12/],
    'no counts': [maskOf(4, 3, []), /width × height/],
    'no pixels': [maskOf(0, 3, []), /sides/],
    'half a pixel': [maskOf(1.5, 2, [3]), /sides/],
    'too many pixels': [maskOf(65535, 65535, [65535 ** 2]), /268435456/],
    'counts of another type': [
      { ...maskOf(1, 1, []), counts: [1] as unknown as Uint32Array },
      /Uint32Array/,
    ],
  };
  for (const [name, [mask, message]] of Object.entries(refused)) {
    test(`with ${name} is refused`, async () => {
      const error = { name: 'MillraceError', code: 'INVALID_ARGUMENT', message };
      await assert.rejects(detections.bitmap(mask), error);
      await assert.rejects(detections.polygons(mask), error);
    });
  }
});

describe('outputs that do not fit a head of segments', () => {
  const logits = new Generator(1).tensor([2, 3, 4]);
  const refused: Readonly<Record<string, [SegmentHead, readonly HeadTensor[], RegExp]>> = {
    'of another rank': [
      { kind: 'semantic' },
      [{ data: logits.data, dims: [6, 4] }],
      /expected 3 dimensions/,
    ],
    'without pixels': [
      { kind: 'semantic' },
      [{ data: new Float32Array(0), dims: [2, 0, 4] }],
      /at least one class/,
    ],
    'that are too few': [{ kind: 'maskformer' }, [logits], /needs 2 outputs, but got 1/],
    'with another number of queries': [
      { kind: 'maskformer' },
      [{ data: new Float32Array(9), dims: [3, 3] }, logits],
      /expected 3 in dimension 0/,
    ],
    'with another number of prototypes': [
      { kind: 'yolo-seg', boxes: { kind: 'yolo', objectness: false, classes: 1, extra: 3 } },
      [{ data: new Float32Array(8), dims: [8, 1] }, logits],
      /expected 3 in dimension 0/,
    ],
    'with another number of masks': [
      { kind: 'mask-rcnn', inBoxes: true },
      [...listed, { data: new Float32Array(5), dims: [5, 1, 1, 1] }],
      /expected 6 in dimension 0/,
    ],
    'with boxes that have no coefficients': [
      { kind: 'yolo-seg', boxes: { kind: 'detr', activation: 'sigmoid' } },
      [logits, logits, logits],
      /Only the boxes of YOLO heads/,
    ],
    'of an unknown kind': [
      { kind: 'toString' } as unknown as SegmentHead,
      [logits],
      /expected one of semantic/,
    ],
  };
  for (const [name, [head, tensors, message]] of Object.entries(refused)) {
    test(`${name} are refused`, async () => {
      await assert.rejects(detections.segments(head, tensors, plain(8, 8), segmentOptions()), {
        name: 'MillraceError',
        code: 'INVALID_ARGUMENT',
        message,
      });
    });
  }

  test('are refused with a threshold of masks that is none', async () => {
    await assert.rejects(
      detections.segments(
        { kind: 'semantic' },
        [logits],
        plain(8, 8),
        segmentOptions({ maskThreshold: Number.NaN }),
      ),
      /maskThreshold/,
    );
  });
});
