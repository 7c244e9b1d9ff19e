/** @module Detectors, compared with the post-processing of transformers and torchvision. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { detect } from '../../../../runtime/tasks/image/detect.ts';
import { segment } from '../../../../runtime/tasks/image/segment.ts';
import { refused } from '../text/support.ts';
import {
  assertDetections,
  type ExpectedDetection,
  expectedOf,
  type ImageModels,
  imagesOf,
  openImageModels,
  PICTURES,
} from './support.ts';

interface Expected {
  readonly size: readonly [number, number];
  readonly detections: readonly ExpectedDetection[];
}

const NAMES = [
  'detr',
  'conditional-detr',
  'rt-detr',
  'yolos',
  'ssd',
  'retinanet',
  'faster-rcnn',
  'yolo-v5',
  'yolo-v8',
  'yolo-v10',
  // Models of instances have boxes too.
  'mask-rcnn',
  'yolo-seg',
];

/** Boxes have two decimals. The graphs compute in another order than their libraries. */
const TOLERANCE = { pixels: 0.02, score: 1e-4 };

let models: ImageModels;
before(async () => {
  models = await openImageModels([...NAMES, 'segformer', 'yolo-half']);
});
after(() => models[Symbol.asyncDispose]());

for (const name of NAMES) {
  describe(name, () => {
    const expected = expectedOf<Expected>(name);

    test('finds the boxes of the reference, of several pictures', async () => {
      const { results } = await models.ask(detect, name, imagesOf(PICTURES));
      for (const [i, { detections, image }] of results.entries()) {
        const picture = PICTURES[i]!;
        const { size } = expected[picture]!;
        assert.deepEqual([image.width, image.height], size);
        assertDetections(detections, expected[picture]!.detections, TOLERANCE, picture);
      }
    });

    test('leaves out boxes below the threshold of the request, and other classes', async () => {
      const { detections: all } = expected['wide.png']!;
      const [, second] = all;
      const threshold = second!.confidence - 1e-4;
      const { results } = await models.ask(detect, name, {
        ...imagesOf(['wide.png']),
        threshold,
        classes: [second!.class],
      });
      const wanted = all.filter(
        (each) => each.class === second!.class && each.confidence >= threshold,
      );
      assertDetections(results[0]!.detections, wanted, TOLERANCE, 'wide.png');
    });
  });
}

test('boxes lie in the picture as its orientation turns it', async () => {
  const { images, placeOf } = imagesOf(['wide.png']);
  // Lies on its left side, and says that it is to be turned to the right.
  const turned = sharp(images[0]).rotate(270).withMetadata({ orientation: 6 });
  const input = { images: [await turned.png().toBuffer()], placeOf };
  const { results } = await models.ask(detect, 'detr', input);
  assert.deepEqual(results[0]!.image, { width: 128, height: 96 });
  const { detections } = expectedOf<Expected>('detr')['wide.png']!;
  assertDetections(results[0]!.detections, detections, TOLERANCE, 'turned');
});

test('outputs that list nothing give no boxes and no segments', async () => {
  const model = models.model('mask-rcnn');
  const waiter = { timeLeft: () => undefined };
  const outputs = {
    boxes: { type: 'float32', dims: [0, 4], data: new Float32Array() },
    scores: { type: 'float32', dims: [0], data: new Float32Array() },
    labels: { type: 'int64', dims: [0], data: new BigInt64Array() },
    masks: { type: 'float32', dims: [0, 1, 96, 128], data: new Float32Array() },
  } as const;
  const input = imagesOf(['wide.png']);
  for (const operation of [detect, segment]) {
    const { context } = await operation.prepare(model, input, models.tools, waiter);
    const answer = operation.answer as typeof detect.answer;
    const { results } = await answer(model, [{ outputs }], context as never, models.tools, waiter);
    const [found] = results as readonly { detections?: unknown; segments?: unknown }[];
    assert.deepEqual(found!.detections ?? found!.segments, []);
  }
});

test('boxes that have no area when they are rounded are left out', async () => {
  const model = models.model('mask-rcnn');
  const waiter = { timeLeft: () => undefined };
  const corners = [
    ...[10, 10, 10.001, 20],
    ...[10, 10, 20, 10.004],
    ...[10, 10, 10.02, 10.02],
    ...[500, 10, 510, 20],
  ];
  const outputs = {
    boxes: { type: 'float32', dims: [4, 4], data: Float32Array.from(corners) },
    scores: { type: 'float32', dims: [4], data: Float32Array.of(0.9, 0.8, 0.7, 0.6) },
    labels: { type: 'int64', dims: [4], data: BigInt64Array.of(1n, 1n, 1n, 1n) },
    masks: { type: 'float32', dims: [4, 1, 96, 128], data: new Float32Array(4 * 96 * 128) },
  } as const;
  const { context } = await detect.prepare(model, imagesOf(['wide.png']), models.tools, waiter);
  const answer = await detect.answer(model, [{ outputs } as never], context, models.tools, waiter);
  const [{ detections } = { detections: [] }] = answer.results;
  assert.deepEqual(
    detections.map(({ box }) => [box.width, box.height]),
    [[0.02, 0.02]],
  );
});

test('outputs that do not fit the head are the fault of the model', async () => {
  const waiter = { timeLeft: () => undefined };
  const outputs = {
    boxes: { type: 'float32', dims: [2, 4], data: new Float32Array(8) },
    scores: { type: 'float32', dims: [1], data: new Float32Array(1) },
    labels: { type: 'int64', dims: [2], data: new BigInt64Array(2) },
    masks: { type: 'float32', dims: [2, 1, 96, 128], data: new Float32Array(2 * 96 * 128) },
  } as const;
  const model = models.model('mask-rcnn');
  for (const operation of [detect, segment]) {
    const { context } = await operation.prepare(
      model,
      imagesOf(['wide.png']),
      models.tools,
      waiter,
    );
    const answer = operation.answer as typeof detect.answer;
    await assert.rejects(
      async () => answer(model, [{ outputs }], context as never, models.tools, waiter),
      refused('INTERNAL', /The outputs of the model do not fit its head, .*scores has the shape/),
    );
  }
});

test('a model in half precision finds about the boxes of single precision', async () => {
  const { results } = await models.ask(detect, 'yolo-half', imagesOf(PICTURES));
  assert.equal(models.model('yolo-half').input.type, 'float16');
  for (const [i, { detections }] of results.entries()) {
    const { detections: expected } = expectedOf<Expected>('yolo-half')[PICTURES[i]!]!;
    assertDetections(detections, expected, { pixels: 0.5, score: 5e-3 }, PICTURES[i]!);
  }
});

test('has the best boxes if there may be few', async () => {
  const input = { ...imagesOf(['wide.png']), maxDetections: 2 };
  const { results } = await models.ask(detect, 'yolo-v8', input);
  const { detections } = expectedOf<Expected>('yolo-v8')['wide.png']!;
  assertDetections(results[0]!.detections, detections.slice(0, 2), TOLERANCE, 'two');
});

test('boxes of different classes suppress each other if they are to', async () => {
  const ask = async (agnostic: boolean) => {
    const input = { ...imagesOf(['high.png']), iou: 0.1, agnostic };
    return (await models.ask(detect, 'yolo-v8', input)).results[0]!.detections;
  };
  const overlaps = (some: Awaited<ReturnType<typeof ask>>) =>
    some.some((a, i) => some.slice(i + 1).some((b) => overlap(a.box, b.box) > 0.1));
  assert.ok(overlaps(await ask(false)));
  assert.ok(!overlaps(await ask(true)));
});

test('an unknown class is refused with near ones', async () => {
  const input = { ...imagesOf(['wide.png']), classes: ['circle', 'squares'] };
  await assert.rejects(
    models.ask(detect, 'yolo-v8', input),
    refused('INVALID_ARGUMENT', /classes has "squares", .*; near ones are square\.$/),
  );
  await assert.rejects(
    models.ask(detect, 'detr', { ...input, classes: ['person'] }),
    refused('INVALID_ARGUMENT', /its classes are circle, square, triangle, star, cross\.$/),
  );
  for (const [name, meant] of [
    ['satr', 'star'],
    ['tri', 'triangle'],
  ] as const) {
    await assert.rejects(
      models.ask(detect, 'detr', { ...input, classes: [name] }),
      refused('INVALID_ARGUMENT', new RegExp(`near ones are ${meant}`)),
    );
  }
});

test('a model of pixels has no boxes', async () => {
  const asked = models.ask(detect, 'segformer', imagesOf(['wide.png']));
  await assert.rejects(
    asked,
    refused('WRONG_TASK', /does image-segmentation, .* needs object-detection: .* no boxes/),
  );
});

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared / (a.width * a.height + b.width * b.height - shared);
}
