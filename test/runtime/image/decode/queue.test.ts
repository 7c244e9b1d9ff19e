/** @module Tests the queue of images that wait to be decoded, and the budget that the threads of the process share. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../../runtime/errors.ts';
import { DecodeBudget } from '../../../../runtime/image/decode/decode-budget.ts';
import { DecodeQueue, type Patience } from '../../../../runtime/image/decode/decode-queue.ts';
import { until } from '../../../support/until.ts';
import { expectedImages, imageFile, OPTIONS, openDecoder } from './support.ts';

const KIB = 1024;
const MIB = KIB * KIB;

/** Work that ends when the test says so. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const state = { started: false, dropped: [] as string[] };
  return {
    ...{ state, reject },
    end: () => resolve('pixels'),
    in: (queue: DecodeQueue, bytes: number, patience: Patience = {}, kept = 0) =>
      queue.use(
        bytes,
        () => {
          state.started = true;
          return promise;
        },
        () => kept,
        (result) => state.dropped.push(result),
        patience,
      ),
  };
}

const open = ({ decodes = 2, bytes = MIB, waiting = 10, shared = DecodeBudget.counts() } = {}) => {
  const budget = new DecodeBudget({ decodes, bytes }, shared);
  return { budget, queue: new DecodeQueue(budget, waiting) };
};

const code = (expected: string) => (error: unknown) =>
  error instanceof ServeError && error.code === expected;

describe('images wait', () => {
  test('while as many as may are decoded', async () => {
    const { queue, budget } = open({ decodes: 1 });
    const [a, b] = [work(), work()];
    const first = a.in(queue, KIB);
    const second = b.in(queue, KIB);
    assert.deepEqual([a.state.started, b.state.started, queue.inFlight], [true, false, 2]);
    a.end();
    assert.equal(await first, 'pixels');
    assert.deepEqual([b.state.started, budget.decoding], [true, 1]);
    b.end();
    await second;
    assert.deepEqual([queue.inFlight, budget.decoding, budget.taken], [0, 0, 0]);
  });

  test('while there is no memory, which decoded pixels keep until they are given back', async () => {
    const { queue, budget } = open();
    const [a, b] = [work(), work()];
    const first = a.in(queue, 800 * KIB, {}, 400 * KIB);
    const second = b.in(queue, 700 * KIB);
    a.end();
    await first;
    assert.deepEqual([b.state.started, budget.taken], [false, 400 * KIB]);
    budget.give(400 * KIB);
    queue.startNext();
    assert.equal(b.state.started, true);
    b.end();
    await second;
    assert.equal(budget.taken, 0);
  });

  test('and one that needs more than there is, is decoded alone', async () => {
    const { queue } = open();
    const [a, b, c] = [work(), work(), work()];
    const all = [a.in(queue, KIB), b.in(queue, 5 * MIB), c.in(queue, KIB)];
    assert.deepEqual(
      [a, b, c].map(({ state }) => state.started),
      [true, false, false],
    );
    a.end();
    await all[0];
    assert.deepEqual([b.state.started, c.state.started], [true, false]);
    b.end();
    c.end();
    await Promise.all(all);
  });

  test('for other threads of the process', async () => {
    const shared = DecodeBudget.counts();
    const [one, other] = [open({ decodes: 1, shared }), open({ decodes: 1, shared })];
    const [a, b] = [work(), work()];
    const first = a.in(one.queue, KIB);
    const second = b.in(other.queue, KIB);
    assert.equal(b.state.started, false);
    a.end();
    await first;
    await until(() => b.state.started, 'the second image is decoded');
    b.end();
    await second;
  });

  test('and one that needs more than there is, holds back those of other threads that come later', async () => {
    const shared = DecodeBudget.counts();
    const [one, other] = [open({ decodes: 4, shared }), open({ decodes: 4, shared })];
    const [first, large, later, last] = [work(), work(), work(), work()];
    const running = first.in(other.queue, KIB);
    const waiting = large.in(one.queue, 5 * MIB);
    // Without the mark it would begin, and the next one before it ends, and so on.
    const small = later.in(other.queue, KIB);
    assert.deepEqual([large.state.started, later.state.started], [false, false]);
    first.end();
    await running;
    await until(() => large.state.started, 'the large image is decoded');
    assert.equal(later.state.started, false);
    large.end();
    await waiting;
    await until(() => later.state.started, 'the small image is decoded');
    later.end();
    await small;
    const afterwards = last.in(one.queue, KIB);
    assert.equal(last.state.started, true);
    last.end();
    await afterwards;
    assert.deepEqual([one.budget.taken, one.budget.decoding], [0, 0]);
  });

  test('until one that needs more than there is, is given up', async () => {
    const shared = DecodeBudget.counts();
    const [one, other] = [open({ decodes: 4, shared }), open({ decodes: 4, shared })];
    const [first, large, later] = [work(), work(), work()];
    const running = first.in(other.queue, KIB);
    const controller = new AbortController();
    const waiting = large.in(one.queue, 5 * MIB, { signal: controller.signal });
    const small = later.in(other.queue, KIB);
    assert.equal(later.state.started, false);
    controller.abort(new ServeError('CANCELLED', 'The client left.'));
    await assert.rejects(waiting, code('CANCELLED'));
    await until(() => later.state.started, 'the small image is decoded');
    first.end();
    later.end();
    await Promise.all([running, small]);
    assert.equal(large.state.started, false);
  });

  test('until too many do', async () => {
    const { queue } = open({ decodes: 1, waiting: 1 });
    const [a, b, c] = [work(), work(), work()];
    const all = [a.in(queue, KIB), b.in(queue, KIB)];
    await assert.rejects(c.in(queue, KIB), code('OVERLOADED'));
    a.end();
    b.end();
    await Promise.all(all);
  });
});

describe('an image is given up', () => {
  test('at its deadline while it waits', async () => {
    const { queue } = open({ decodes: 1 });
    const [a, b, c] = [work(), work(), work()];
    const first = a.in(queue, KIB);
    await assert.rejects(b.in(queue, KIB, { timeoutMs: 1 }), code('DEADLINE_EXCEEDED'));
    assert.equal(queue.inFlight, 1);
    const third = c.in(queue, KIB);
    a.end();
    await first;
    assert.deepEqual([b.state.started, c.state.started], [false, true]);
    c.end();
    await third;
  });

  test('not before a deadline that is weeks away', async () => {
    const { queue } = open({ decodes: 1 });
    const [a, b, c] = [work(), work(), work()];
    const first = a.in(queue, KIB);
    const second = b.in(queue, KIB, { timeoutMs: 2 ** 31 });
    // A timer of that delay would end after a millisecond.
    await assert.rejects(c.in(queue, KIB, { timeoutMs: 20 }), code('DEADLINE_EXCEEDED'));
    assert.equal(queue.inFlight, 2);
    a.end();
    b.end();
    assert.deepEqual(await Promise.all([first, second]), ['pixels', 'pixels']);
  });

  test('when nobody waits for it, with the reason', async () => {
    const { queue } = open({ decodes: 1 });
    const [a, b] = [work(), work()];
    const first = a.in(queue, KIB);
    const controller = new AbortController();
    const second = b.in(queue, KIB, { signal: controller.signal });
    const reason = new ServeError('CANCELLED', 'The client left.');
    controller.abort(reason);
    await assert.rejects(second, (error) => error === reason);
    await assert.rejects(
      b.in(queue, KIB, { signal: controller.signal }),
      (error) => error === reason,
    );
    a.end();
    await first;
    assert.equal(b.state.started, false);
  });

  test('while it is decoded, and counts until the decoder has finished', async () => {
    const { queue, budget } = open({ decodes: 1 });
    const [a, b] = [work(), work()];
    const controller = new AbortController();
    const first = a.in(queue, KIB, { signal: controller.signal }, KIB);
    const second = b.in(queue, KIB);
    controller.abort(new ServeError('CANCELLED', 'The client left.'));
    await assert.rejects(first, code('CANCELLED'));
    assert.deepEqual([b.state.started, budget.decoding, queue.inFlight], [false, 1, 2]);
    a.end();
    await until(() => b.state.started, 'the second image is decoded');
    assert.deepEqual(a.state.dropped, ['pixels']);
    b.end();
    await second;
    assert.equal(budget.taken, 0);
  });

  test('when the decoder fails, which gives everything back', async () => {
    const { queue, budget } = open();
    const a = work();
    const first = a.in(queue, KIB);
    a.reject(new Error('damaged'));
    await assert.rejects(first, /damaged/);
    assert.deepEqual([budget.decoding, budget.taken, queue.inFlight], [0, 0, 0]);
  });
});

describe('the decoder', () => {
  test('gives the memory of pixels back once', async () => {
    const shared = DecodeBudget.counts();
    const budget = new DecodeBudget({ decodes: 1, bytes: MIB }, shared);
    const decoder = openDecoder({ shared });
    const decoded = await decoder.decode(imageFile('rgb.png'), OPTIONS);
    assert.ok(budget.taken > 0);
    decoded.release();
    decoded.release();
    assert.deepEqual([budget.taken, decoded.pixels.data.length], [0, 0]);
  });

  test('decodes many images with the memory of one', async () => {
    const decoder = openDecoder({ decodes: 4, bytes: KIB });
    const names = Object.keys(expectedImages());
    await Promise.all(
      names.map(async (name) => (await decoder.decode(imageFile(name), OPTIONS)).release()),
    );
    assert.equal(decoder.inFlight, 0);
  });

  test('does not blame the image for a fault of the program', async () => {
    const options = { ...OPTIONS, background: 'no colour' };
    const isFault = (error: unknown) => error instanceof Error && !(error instanceof ServeError);
    await assert.rejects(openDecoder().decode(imageFile('rgb.png'), options), isFault);
  });

  test('refuses by the header while the queue is full', async () => {
    const decoder = openDecoder({ waiting: 1, maxPixels: 100 });
    await assert.rejects(decoder.decode(imageFile('rgb.png'), OPTIONS), code('IMAGE_TOO_LARGE'));
  });
});
