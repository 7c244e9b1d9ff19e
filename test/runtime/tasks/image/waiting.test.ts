/** @module What is held for requests that wait, and what is not done for those that nobody waits for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Boxes, Images, Pixels } from '../../../../native/index.ts';
import type { ImageHead, ImageModel } from '../../../../runtime/image/index.ts';
import { detect } from '../../../../runtime/tasks/image/detect.ts';
import type { ImageTools, ImageWaiter } from '../../../../runtime/tasks/image/operation.ts';
import { segment } from '../../../../runtime/tasks/image/segment.ts';
import { refused } from '../text/support.ts';
import { fakeImages } from './fake-images.ts';
import { modelOf as openModel, semantic } from './image-models.ts';

const SIDE = 4;
const BYTES = 3 * SIDE * SIDE;

const listed: ImageHead = {
  kind: 'boxes',
  head: 'ssd',
  outputs: ['boxes', 'scores', 'scores'],
  native: { kind: 'listed' },
};

const modelOf = (head: ImageHead): ImageModel => openModel(head, ['sky', 'sea']);

const RESULT = {
  outputs: {
    map: { type: 'float32', dims: [1, 2, 1, 1], data: new Float32Array(2) },
    boxes: { type: 'float32', dims: [0, 4], data: new Float32Array() },
    scores: { type: 'float32', dims: [0], data: new Float32Array() },
  },
} as const;

const NO_BOXES: Boxes = {
  count: 0,
  corners: new Float32Array(),
  scores: new Float32Array(),
  classes: new Int32Array(),
  sources: new Int32Array(),
};

/** A decoder of small pictures, which counts those whose memory is taken. */
function countingTools(own: Partial<Images>) {
  const counts = { decoded: 0, held: 0, mostHeld: 0 };
  const tools: ImageTools = {
    decoder: {
      inFlight: 0,
      async decode() {
        counts.decoded += 1;
        counts.held += 1;
        counts.mostHeld = Math.max(counts.mostHeld, counts.held);
        const size = { width: SIDE, height: SIDE };
        const pixels: Pixels = { data: new Uint8Array(BYTES), channels: 3, ...size };
        return {
          ...size,
          pixels,
          release() {
            counts.held -= 1;
          },
        };
      },
    },
    images: fakeImages({
      place: async () => new Float32Array(BYTES),
      segments: async () => [],
      boxes: async () => NO_BOXES,
      ...own,
    }),
  };
  return { counts, tools };
}

const inputOf = (count: number) => ({
  images: Array.from({ length: count }, () => new Uint8Array(1)),
  placeOf: (index: number) => `images[${index}]`,
});

const PATIENT: ImageWaiter = { timeLeft: () => undefined };

describe('overlays', () => {
  const model = modelOf(semantic);

  /** The answer to a request for overlays, whose images were decoded for the model before. */
  async function draw(tools: ImageTools, count: number, waiter = PATIENT) {
    const input = { ...inputOf(count), overlay: true };
    const { context } = await segment.prepare(model, input, tools, PATIENT);
    const results = input.images.map(() => RESULT);
    return () => segment.answer(model, results, context, tools, waiter);
  }

  test('of many requests hold the memory of two images', async () => {
    const gate = Promise.withResolvers<void>();
    const two = Promise.withResolvers<void>();
    const drawn: Uint8Array[] = [];
    const { counts, tools } = countingTools({
      async overlay({ data }) {
        const copy = data.slice();
        if (drawn.push(copy) === 2) two.resolve();
        await gate.promise;
        return copy;
      },
    });
    const answers = await Promise.all(Array.from({ length: 6 }, () => draw(tools, 1)));
    Object.assign(counts, { decoded: 0, mostHeld: 0 });
    const responses = answers.map((answer) => answer());
    await two.promise;
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(counts, { decoded: 2, held: 2, mostHeld: 2 });
    gate.resolve();
    for (const response of responses) {
      const { results } = await response;
      assert.deepEqual([...results[0]!.overlay!.subarray(1, 4)], [...Buffer.from('PNG')]);
    }
    assert.deepEqual(counts, { decoded: 6, held: 0, mostHeld: 2 });
    // Nor is the memory of what was drawn left to the garbage collector.
    assert.deepEqual(
      drawn.map(({ buffer }) => buffer.byteLength),
      Array(6).fill(0),
    );
  });

  test('are not drawn when nobody waits for them any more, and nothing is held', async () => {
    const controller = new AbortController();
    const reason = new Error('The client left.');
    let drawn = 0;
    const { counts, tools } = countingTools({
      async overlay({ data }) {
        drawn += 1;
        controller.abort(reason);
        return data.slice();
      },
    });
    const answer = await draw(tools, 3, { ...PATIENT, signal: controller.signal });
    await assert.rejects(
      async () => answer(),
      (error) => error === reason,
    );
    assert.deepEqual([drawn, counts.held], [1, 0]);
  });
});

describe('outputs are not read', () => {
  for (const [name, operation, head] of [
    ['boxes', detect, listed],
    ['segments', segment, semantic],
  ] as const) {
    test(`as ${name} after the deadline, nor of further images`, async () => {
      let read = 0;
      let left = 1;
      const stop = () => {
        read += 1;
        left = 0;
      };
      const { tools } = countingTools({
        async boxes() {
          stop();
          return NO_BOXES;
        },
        async segments() {
          stop();
          return [];
        },
      });
      const model = modelOf(head);
      const waiter = { timeLeft: () => left };
      const { context } = await operation.prepare(model, inputOf(3), tools, PATIENT);
      const ask = async () =>
        (operation.answer as typeof detect.answer)(
          model,
          [RESULT, RESULT, RESULT],
          context as never,
          tools,
          waiter,
        );
      await assert.rejects(ask, refused('DEADLINE_EXCEEDED', /not answered by its deadline/));
      assert.equal(read, 1);
      await assert.rejects(ask, refused('DEADLINE_EXCEEDED', /not answered by its deadline/));
      assert.equal(read, 1);
    });
  }
});
