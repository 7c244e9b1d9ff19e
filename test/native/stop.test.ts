/** @module Reading outputs stops in the middle when nobody wants the result any more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HeadTensor, SegmentHead, SegmentOptions } from '../../native/image-types.ts';
import { boxOptions, detections, plain } from './detection-cases.ts';

const WIDTH = 4000;
const HEIGHT = 3000;

const tensor = (dims: readonly number[], value: (i: number) => number = () => 1): HeadTensor => ({
  data: Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) =>
    value(i),
  ),
  dims,
});

const options = (
  changes: Pick<SegmentOptions, 'signal' | 'timeoutMs'>,
  nms: 'hard' | 'soft' = 'hard',
): SegmentOptions => ({
  ...boxOptions({ threshold: 0, maxDetections: 30_000, nms }),
  maskThreshold: 0.5,
  ...changes,
});

type Stop = Pick<SegmentOptions, 'signal' | 'timeoutMs'>;

const segments =
  (head: SegmentHead, ...tensors: readonly HeadTensor[]) =>
  (stop: Stop) =>
    detections.segments(head, tensors, plain(WIDTH, HEIGHT), options(stop));

const BOXES = 300;
/** Each box is the whole image. */
const corners = [0, 0, WIDTH, HEIGHT];
/** Boxes that do not overlap, in the columns of YOLO. */
const anchors = 20_000;
const apart = tensor([5, anchors], (i) => {
  const [column, anchor] = [Math.floor(i / anchors), i % anchors];
  if (column === 0) return (anchor % 200) * 4;
  if (column === 1) return Math.floor(anchor / 200) * 4;
  return column === 4 ? 0.5 : 2;
});
const boxes = (nms: 'hard' | 'soft') => (stop: Stop) =>
  detections.boxes(
    { kind: 'yolo', objectness: false, classes: 1, extra: 0 },
    [apart],
    plain(WIDTH, HEIGHT),
    options(stop, nms),
  );

/** Work that takes about a second or more, on few numbers. */
const work: Readonly<Record<string, (stop: Stop) => Promise<unknown>>> = {
  // The first class is the highest by far, and the others change its probability.
  'a semantic head': segments(
    { kind: 'semantic' },
    tensor([400, 16, 16], (i) => (i < 256 ? 3 : (i % 7) / 8)),
  ),
  'a YOLO head with prototypes': segments(
    { kind: 'yolo-seg', boxes: { kind: 'yolo-nms', extra: 1 } },
    tensor([BOXES, 7], (i) => [...corners, 0.5, 0, 1][i % 7]!),
    tensor([1, 2048, 2]),
  ),
  'Mask R-CNN': segments(
    { kind: 'mask-rcnn', inBoxes: false },
    tensor([BOXES, 4], (i) => corners[i % 4]!),
    tensor([BOXES]),
    tensor([BOXES]),
    tensor([BOXES, 1, 2048, 2]),
  ),
  // All queries are as high as each other at each pixel.
  MaskFormer: segments(
    { kind: 'maskformer' },
    tensor([100, 2], (i) => (i % 2 === 0 ? 3 : 0)),
    tensor([100, 16, 16]),
  ),
  'a detector': boxes('hard'),
  'a detector with soft suppression': boxes('soft'),
};

describe('reading the outputs of', () => {
  for (const [name, start] of Object.entries(work)) {
    test(`${name} is cancelled in the middle`, async () => {
      const controller = new AbortController();
      const outcome = start({ signal: controller.signal });
      // The pool begins work in the order of the calls.
      await detections.bitmap({
        width: 1,
        height: 1,
        counts: Uint32Array.of(1),
        area: 0,
        box: [0, 0, 0, 0],
      });
      controller.abort();
      await assert.rejects(outcome, { name: 'AbortError' });
    });

    test(`${name} ends at its deadline`, async () => {
      await assert.rejects(start({ timeoutMs: 20 }), {
        name: 'MillraceError',
        code: 'DEADLINE_EXCEEDED',
        message: /timeoutMs/,
      });
    });
  }

  test('what nobody wants any more does not begin', async () => {
    const start = work['a detector']!;
    await assert.rejects(start({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    await assert.rejects(start({ timeoutMs: 0 }), { code: 'DEADLINE_EXCEEDED' });
  });

  test('outputs with a deadline that is no number is refused', async () => {
    for (const timeoutMs of [-1, Number.NaN]) {
      await assert.rejects(work['a detector']!({ timeoutMs }), {
        code: 'INVALID_ARGUMENT',
        message: /timeoutMs/,
      });
    }
  });

  test('outputs leaves no listener on the signal', async () => {
    let listeners = 0;
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: () => void listeners++,
      removeEventListener: () => void listeners--,
    };
    const found = await detections.boxes(
      { kind: 'listed' },
      [tensor([1, 4], (i) => i * 2), tensor([1]), tensor([1])],
      plain(64, 64),
      options({ signal, timeoutMs: 60_000 }),
    );
    assert.equal(found.count, 1);
    assert.equal(listeners, 0);
  });
});
