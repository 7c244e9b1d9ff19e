/** @module The images of a request as inputs of runs: refusals, and what they leave behind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { ServeError } from '../../../../runtime/errors.ts';
import type { ImageDecoder } from '../../../../runtime/image/decode/image-decoder.ts';
import { DecodeBudget } from '../../../../runtime/image/decode/index.ts';
import { type ImageModel, placementOf } from '../../../../runtime/image/index.ts';
import { encodeImages } from '../../../../runtime/tasks/image/encode-images.ts';
import type { ImageWaiter } from '../../../../runtime/tasks/image/operation.ts';
import { until } from '../../../support/until.ts';
import { openDecoder } from '../../image/decode/support.ts';
import { refused } from '../text/support.ts';
import { fakeImages } from './fake-images.ts';

const LIMITS = { decodes: 2, bytes: 64 * 1024 * 1024 };

/** A model that takes images of any size, of which the shorter side becomes 800 pixels. */
const model: ImageModel = {
  task: 'image-classification',
  input: {
    ...{ name: 'image', mask: undefined, maskType: undefined, hasRows: true, type: 'float32' },
    form: { layout: 'float32-chw', channels: 3, fill: [0, 0, 0] },
    placement: (width, height) =>
      placementOf(
        {
          resize: { kind: 'shortest', length: 800, longest: undefined },
          ...{ filter: 'bilinear', crop: undefined, pad: undefined },
        },
        width,
        height,
      ),
  },
  head: { kind: 'scores', output: 'logits', areProbabilities: false },
  ...{ labels: [], problemType: undefined, defaults: {}, decodes: false },
};

const png = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#336699' } })
    .png()
    .toBuffer();

const inputOf = (images: readonly Uint8Array[]) => ({
  images,
  placeOf: (index: number) => (images.length === 1 ? 'image' : `images[${index}]`),
});

const PATIENT: ImageWaiter = { timeLeft: () => undefined };

describe('a refusal leaves no memory taken', () => {
  const place = async () => new Float32Array(3);
  const decoding = (images: readonly Uint8Array[], waiter = PATIENT, placing = place) => {
    const shared = DecodeBudget.counts();
    const tools = {
      decoder: openDecoder({ ...LIMITS, shared }),
      images: fakeImages({ place: placing }),
    };
    return {
      encoded: encodeImages(model, inputOf(images), tools, waiter),
      budget: new DecodeBudget(LIMITS, shared),
    };
  };
  const isFree = ({ taken, decoding }: DecodeBudget) =>
    assert.deepEqual({ taken, decoding }, { taken: 0, decoding: 0 });

  test('of a narrow image, whose size is known after decoding', async () => {
    const { encoded, budget } = decoding([await png(2000, 4)]);
    await assert.rejects(
      encoded,
      refused('IMAGE_TOO_LARGE', /send a part of it that is less narrow/),
    );
    isFree(budget);
  });

  test('of an image that lacks its end', async () => {
    const { encoded, budget } = decoding([(await png(60, 40)).subarray(0, 90)]);
    await assert.rejects(encoded, refused('INVALID_IMAGE', /./));
    isFree(budget);
  });

  test('of an image that cannot be laid out', async () => {
    const broken = () => Promise.reject(new Error('no memory'));
    const { encoded, budget } = decoding([await png(60, 40)], PATIENT, broken);
    await assert.rejects(encoded, /no memory/);
    isFree(budget);
  });

  test('of one of a list', async () => {
    const whole = await png(60, 40);
    const { encoded, budget } = decoding([whole, await png(2000, 4), whole, whole]);
    await assert.rejects(
      encoded,
      refused('IMAGE_TOO_LARGE', /images\[1\]: The image has 2000 × 4/),
    );
    // What was being decoded is decoded to its end.
    await until(() => budget.decoding === 0, 'nothing is decoded');
    isFree(budget);
  });

  test('of a request that nobody waits for', async () => {
    const controller = new AbortController();
    const reason = new Error('The client left.');
    const { encoded, budget } = decoding(
      [await png(60, 40)],
      { ...PATIENT, signal: controller.signal },
      async () => {
        controller.abort(reason);
        throw reason;
      },
    );
    await assert.rejects(encoded, (error) => error === reason);
    isFree(budget);
  });
});

describe('a bad image of a list', () => {
  /** A decoder that refuses the second image, and decodes none of the others unless it has to. */
  function decoderThatRefuses(refusal: unknown) {
    const state = { aborted: 0, released: 0 };
    let calls = 0;
    const decoder: ImageDecoder = {
      inFlight: 0,
      decode(_, { signal }) {
        calls += 1;
        if (calls === 2) return Promise.reject(refusal);
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            state.aborted += 1;
            reject(signal.reason);
          });
        });
      },
    };
    return { state, decoder };
  }

  test('stops the others, and its own refusal is the answer', async () => {
    const { state, decoder } = decoderThatRefuses(
      new ServeError('INVALID_IMAGE', 'It is damaged.'),
    );
    const outer = new AbortController();
    const images = Array.from({ length: 16 }, () => new Uint8Array(1));
    const waiter = { ...PATIENT, signal: outer.signal };
    await assert.rejects(
      encodeImages(model, inputOf(images), { decoder, images: fakeImages({}) }, waiter),
      refused('INVALID_IMAGE', /images\[1\]: It is damaged\./),
    );
    assert.equal(state.aborted, 15);
    assert.equal(outer.signal.aborted, false);
  });

  test('is refused with the time after which to retry and the member that is wrong', async () => {
    const refusal = new ServeError('OVERLOADED', 'Busy.', { retryAfterMs: 1000, param: 'image' });
    const { decoder } = decoderThatRefuses(refusal);
    const images = [new Uint8Array(1), new Uint8Array(1)];
    await assert.rejects(
      encodeImages(model, inputOf(images), { decoder, images: fakeImages({}) }, PATIENT),
      (error) => {
        assert.ok(error instanceof ServeError);
        const { code, message, retryAfterMs, param } = error;
        assert.deepEqual(
          { code, message, retryAfterMs, param },
          { code: 'OVERLOADED', message: 'images[1]: Busy.', retryAfterMs: 1000, param: 'image' },
        );
        return true;
      },
    );
  });

  test('with the reason of the request, if that is aborted', async () => {
    const { decoder } = decoderThatRefuses(undefined);
    const controller = new AbortController();
    const reason = new ServeError('CANCELLED', 'The client left.');
    const encoded = encodeImages(
      model,
      inputOf([new Uint8Array(1)]),
      { decoder, images: fakeImages({}) },
      { ...PATIENT, signal: controller.signal },
    );
    controller.abort(reason);
    await assert.rejects(encoded, (error) => error === reason);
  });
});
