/** @module A vision service with recorded responses, whose page is the real one. */

import type { Context } from 'hono';
import { currentHost } from '../../runtime/index.ts';
import { createServiceApp } from '../../services/http/create-service-app.ts';
import { vision } from '../../services/vision/index.ts';
import { testService } from '../support/service.ts';

/** The size of the pictures to which the responses belong. */
export const SIZE = { width: 400, height: 300 };

const ready = (task: string, ...versions: string[]) =>
  versions.map((version) => ({ version, state: 'ready', task }));

/** As `/playground/models.json` has them: a model with two versions, of which one chooses among its boxes, for each task. */
const MODELS = [
  { name: 'classifier', versions: ready('image-classification', 'v1', 'v2') },
  {
    name: 'detector',
    versions: ready('object-detection', 'v1', 'v2'),
    boxes: { v1: { threshold: 0.25, iou: 0.45 }, v2: { threshold: 0.5 } },
  },
  { name: 'masks', versions: ready('image-segmentation', 'v1', 'v2'), boxes: {} },
  { name: 'encoder', versions: ready('image-feature-extraction', 'v1') },
];

const box = (x: number, y: number, width: number, height: number) => ({ x, y, width, height });
const detection = (name: string, confidence: number, place: ReturnType<typeof box>) => ({
  class: name,
  confidence,
  box: place,
});

/** Two cats that overlap by 0.75, a third one that overlaps them by 0.33, a dog in the place of the second cat, and a person. */
export const DETECTIONS = [
  detection('cat', 0.9, box(40, 30, 160, 120)),
  detection('cat', 0.8, box(50, 40, 160, 120)),
  detection('cat', 0.6, box(120, 30, 160, 120)),
  detection('dog', 0.5, box(50, 40, 160, 120)),
  detection('person', 0.1, box(300, 200, 100, 100)),
];
const OTHERS = [
  detection('cat', 0.75, box(42, 31, 158, 121)),
  detection('bird', 0.7, box(300, 10, 50, 50)),
];

/** The mask of the columns from `left` to the one before `right`, over the whole height. */
const columns = (left: number, right: number) => {
  const { width, height } = SIZE;
  const counts = [left * height, (right - left) * height, (width - right) * height];
  return { size: [height, width], counts };
};
const segment = (name: string, left: number, right: number) => ({
  ...{ class: name, confidence: 0.9, area: (right - left) * SIZE.height },
  ...{ box: box(left, 0, right - left, SIZE.height), mask: columns(left, right) },
});

type Answers = Readonly<Record<string, Readonly<Record<string, object>>>>;

/** The responses by path and version. */
const ANSWERS: Answers = {
  '/classify': {
    v1: {
      predictions: [
        { class: 'tabby', confidence: 0.7 },
        { class: 'tiger cat', confidence: 0.2 },
      ],
    },
    v2: {
      predictions: [
        { class: 'tiger cat', confidence: 0.5 },
        { class: 'tabby', confidence: 0.45 },
        { class: 'lynx', confidence: 0.05 },
      ],
    },
  },
  '/detect': {
    v1: { detections: DETECTIONS, image: SIZE },
    v2: { detections: OTHERS, image: SIZE },
  },
  '/segment': {
    v1: { segments: [segment('sky', 0, 100), segment('road', 100, 200)] },
    v2: { segments: [segment('sky', 0, 50), segment('road', 100, 200)] },
  },
  '/embed-image': {
    v1: {
      embeddings: [
        [1, 0],
        [0.6, 0.8],
      ],
      dimensions: 2,
    },
  },
};

/** A request that the service has got. */
export interface Received {
  readonly path: string;
  readonly images: readonly { readonly name: string; readonly bytes: number }[];
  readonly options: Readonly<Record<string, string>>;
}

export interface RecordedVision extends AsyncDisposable {
  readonly origin: string;
  /** The requests since the last call. */
  received(): readonly Received[];
}

/** Starts the service. A picture whose name begins with `broken` is refused. */
export async function recordedVision(): Promise<RecordedVision> {
  const service = await testService();
  const requests: Received[] = [];
  const answer = async (c: Context) => {
    const form = [...(await c.req.formData())];
    const images = form.flatMap(([, value]) =>
      typeof value === 'string' ? [] : [{ name: value.name, bytes: value.size }],
    );
    const texts = form.flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    );
    const options: Record<string, string> = Object.fromEntries(texts);
    requests.push({ path: c.req.path, images, options });
    if (images.some(({ name }) => name.startsWith('broken'))) {
      return c.json({ error: 'The image ends too early.', code: 'INVALID_IMAGE' }, 400);
    }
    const version = options.model_version ?? 'v1';
    c.header('Server-Timing', `queue;dur=0.1, compute;dur=${version.slice(1)}.5, batch;desc="3/8"`);
    return c.json({ ...ANSWERS[c.req.path]![version], model_version: version });
  };
  const { fetch } = createServiceApp(service.runtime, {
    ...vision,
    routes({ managed }) {
      managed('/playground/models.json', (c) => c.json({ models: MODELS }));
      for (const path of Object.keys(ANSWERS)) managed(path, answer, 'QUERY');
    },
  });
  const listener = await currentHost().listen({
    ...{ hostname: '127.0.0.1', port: 0, setting: 'VISION_PORT' },
    ...{ idleTimeoutSecs: 30, shared: false, fetch },
  });
  return {
    origin: `http://127.0.0.1:${listener.port}`,
    received: () => requests.splice(0),
    async [Symbol.asyncDispose]() {
      await listener.stop();
      service[Symbol.dispose]();
    },
  };
}
