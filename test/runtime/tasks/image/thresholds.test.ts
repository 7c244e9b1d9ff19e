/** @module Which options the functions on images get, by request, model and default. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BoxOptions, SegmentOptions, Tensor } from '../../../../native/index.ts';
import type { ImageHead, ImageModel } from '../../../../runtime/image/index.ts';
import { detect } from '../../../../runtime/tasks/image/detect.ts';
import type { ImageOperation, ImageTools } from '../../../../runtime/tasks/image/operation.ts';
import { segment } from '../../../../runtime/tasks/image/segment.ts';
import { refused } from '../text/support.ts';
import { fakeImages } from './fake-images.ts';
import { modelOf as openModel, semantic } from './image-models.ts';

const yolo: ImageHead = {
  kind: 'boxes',
  head: 'yolo',
  outputs: ['out'],
  native: { kind: 'yolo', objectness: false, classes: 2, extra: 0 },
};
const detr: ImageHead = {
  kind: 'boxes',
  head: 'detr',
  outputs: ['out', 'out'],
  native: { kind: 'detr', activation: 'softmax' },
};
const maskformer: ImageHead = {
  kind: 'masks',
  head: 'maskformer',
  outputs: ['out', 'map'],
  native: { kind: 'maskformer' },
};

const modelOf = (head: ImageHead, defaults: ImageModel['defaults'] = {}): ImageModel =>
  openModel(head, ['cat', 'dog'], defaults);

const outputs: Readonly<Record<string, Tensor>> = {
  out: { type: 'float32', dims: [1, 2, 4], data: new Float32Array(8) },
  map: { type: 'float32', dims: [1, 2, 1, 1], data: new Float32Array(2) },
};

/** The options with which the operation calls the function on images. */
async function optionsOf<Input extends object, Context, Output>(
  operation: ImageOperation<Input & ImageInputs, Context, Output>,
  model: ImageModel,
  request: Input,
): Promise<BoxOptions | SegmentOptions> {
  const seen: (BoxOptions | SegmentOptions)[] = [];
  const tools: ImageTools = {
    decoder: {
      inFlight: 0,
      decode: async () => ({
        pixels: { data: new Uint8Array(3), width: 1, height: 1, channels: 3 },
        ...{ width: 1, height: 1, release() {} },
      }),
    },
    images: fakeImages({
      place: async () => new Float32Array(3),
      async boxes(_head, _tensors, _geometry, options) {
        const { signal, timeoutMs, ...own } = options;
        assert.deepEqual([signal, timeoutMs], [undefined, undefined]);
        seen.push(own);
        const none = new Int32Array();
        return {
          count: 0,
          corners: new Float32Array(),
          scores: new Float32Array(),
          classes: none,
          sources: none,
        };
      },
      async segments(_head, _tensors, _geometry, options) {
        const { signal, timeoutMs, ...own } = options;
        assert.deepEqual([signal, timeoutMs], [undefined, undefined]);
        seen.push(own);
        return [];
      },
    }),
  };
  const waiter = { timeLeft: () => undefined };
  const input = { ...request, images: [new Uint8Array()], placeOf: () => 'image' };
  const { runs, context } = await operation.prepare(model, input, tools, waiter);
  assert.deepEqual(Object.keys(runs[0]!), ['image']);
  await operation.answer(model, [{ outputs }], context, tools, waiter);
  assert.equal(seen.length, 1);
  return seen[0]!;
}

interface ImageInputs {
  readonly images: readonly Uint8Array[];
  placeOf(index: number): string;
}

const DEFAULTS = {
  iou: 0.45,
  maxDetections: 300,
  classes: undefined,
  agnostic: false,
  nms: 'hard',
};

test('the defaults of boxes are those of their head', async () => {
  assert.deepEqual(await optionsOf(detect, modelOf(yolo), {}), { ...DEFAULTS, threshold: 0.25 });
  assert.deepEqual(await optionsOf(detect, modelOf(detr), {}), { ...DEFAULTS, threshold: 0.5 });
});

test('model.json has precedence over the defaults, and the request over model.json', async () => {
  const model = modelOf(yolo, { threshold: 0.1, iou: 0.6, maxDetections: 20 });
  const own = { threshold: 0.1, iou: 0.6, maxDetections: 20 };
  assert.deepEqual(await optionsOf(detect, model, {}), { ...DEFAULTS, ...own });
  const request = {
    threshold: 0,
    iou: 0.2,
    maxDetections: 5,
    agnostic: true,
    nms: 'soft',
  } as const;
  assert.deepEqual(await optionsOf(detect, model, { ...request, classes: ['dog'] }), {
    ...request,
    classes: Int32Array.of(1),
  });
});

test('classes may be numbers below that of the classes, and any where no class has a name', async () => {
  const ask = async (labels: readonly string[], name: string) =>
    (await optionsOf(detect, { ...modelOf(yolo), labels }, { classes: [name] })).classes;
  const named = Array.from({ length: 80 }, (_, i) => `class ${i + 1}`);
  const numbers = Array.from({ length: 80 }, (_, i) => String(i));
  for (const labels of [named, numbers]) {
    assert.deepEqual(await ask(labels, '79'), Int32Array.of(79));
    await assert.rejects(
      ask(labels, '80'),
      refused('INVALID_ARGUMENT', /^ServeError: classes has "80", which the model does not have/),
    );
  }
  assert.deepEqual(await ask(named, 'class 3'), Int32Array.of(2));
  assert.deepEqual(await ask([], '999'), Int32Array.of(999));
});

test('masks of queries have two thresholds, and those of pixels one', async () => {
  const both = { ...DEFAULTS, threshold: 0.7, maskThreshold: 0.5 };
  assert.deepEqual(await optionsOf(segment, modelOf(maskformer), { threshold: 0.7 }), both);
  assert.deepEqual(await optionsOf(segment, modelOf(semantic), { threshold: 0.7 }), {
    ...both,
    maskThreshold: 0.7,
  });
  assert.deepEqual(await optionsOf(segment, modelOf(semantic), {}), {
    ...both,
    threshold: 0.5,
  });
});
