/** @module Deadlines and aborts: when a promise is rejected, and what still runs. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { loop, occupy, open, refused, until, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

describe('deadlines', () => {
  test('a queued request is rejected at its deadline, and never runs', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const { done } = await occupy(model);
      const started = performance.now();
      await refused(loop(model, 1, { timeoutMs: 20 }), 'DEADLINE_EXCEEDED', /'slow-loop.onnx'/);
      assert.ok(performance.now() - started >= 19);
      assert.equal(model.stats().running, 1, 'the instance was busy all the while');
      await done;
      await until(() => model.stats().queued === 0);
      const { cancelled, completed, expired, rows } = model.stats();
      assert.deepEqual(
        { cancelled, completed, expired, rows },
        { cancelled: 0, completed: 1, expired: 1, rows: 1 },
      );
    }));

  test('a running request is rejected at its deadline, and its run goes on', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const run = loop(model, 150_000, { timeoutMs: 20 });
      await refused(run, 'DEADLINE_EXCEEDED');
      assert.equal(model.stats().running, 1, 'the instance is still busy');
      await loop(model, 1);
      const { completed, expired } = model.stats();
      assert.deepEqual({ completed, expired }, { completed: 2, expired: 0 });
    }));

  test('a request with a timeout of 0 is refused', () =>
    withModel(engine, 'slow-loop', async (model) => {
      await refused(loop(model, 1, { timeoutMs: 0 }), 'DEADLINE_EXCEEDED');
      const { rejected, expired, rows } = model.stats();
      assert.deepEqual({ rejected, expired, rows }, { rejected: 1, expired: 0, rows: 0 });
    }));

  for (const timeoutMs of [60_000, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, Infinity]) {
    test(`a request with a timeout of ${timeoutMs} ms completes`, () =>
      withModel(engine, 'slow-loop', async (model) => {
        const warnings: string[] = [];
        const note = (warning: Error) => warnings.push(warning.message);
        process.on('warning', note);
        const { done } = await occupy(model);
        const results = await Promise.all([loop(model, 1, { timeoutMs }), done]);
        assert.equal(results.length, 2);
        process.off('warning', note);
        assert.deepEqual(warnings, []);
      }));
  }

  test('many requests are rejected each at its own deadline', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const { done } = await occupy(model);
      const over: number[] = [];
      const runs = [20, 5, 25, 10, 15].map((timeoutMs) => {
        const due = performance.now() + timeoutMs;
        return refused(loop(model, 1, { timeoutMs }), 'DEADLINE_EXCEEDED').then(() =>
          over.push(performance.now() - due),
        );
      });
      const patient = loop(model, 1, { timeoutMs: 60_000 });
      await Promise.all(runs);
      assert.equal(over.length, 5);
      // A timer may go off up to a millisecond early; a busy thread handles several of them at once.
      for (const late of over) assert.ok(late > -2, `${late} ms`);
      await Promise.all([done, patient]);
    }));

  test('a request that completes before its deadline is not rejected afterwards', () =>
    withModel(engine, 'slow-loop', async (model) => {
      await Promise.all(Array.from({ length: 20 }, () => loop(model, 1, { timeoutMs: 50 })));
      // These requests use the same slots while the timer of the earlier requests goes off.
      const { done } = await occupy(model);
      const runs = Array.from({ length: 19 }, () => loop(model, 1));
      await refused(loop(model, 1, { timeoutMs: 60 }), 'DEADLINE_EXCEEDED');
      await Promise.all([done, ...runs]);
    }));
});

/** Counts the listeners of a signal. */
function watched(signal: AbortSignal): { listening(): number } {
  let listening = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...all: Parameters<typeof add>) => {
    listening++;
    add(...all);
  };
  signal.removeEventListener = (...all: Parameters<typeof remove>) => {
    listening--;
    remove(...all);
  };
  return { listening: () => listening };
}

describe('aborts', () => {
  const reason = { why: 'the caller left' };

  test('before the call: the request is not submitted', () =>
    withModel(engine, 'slow-loop', async (model) => {
      await assert.rejects(loop(model, 1, { signal: AbortSignal.abort(reason) }), reason);
      await assert.rejects(loop(model, 1, { signal: AbortSignal.abort() }), { name: 'AbortError' });
      assert.equal(model.stats().submitted, 0);
    }));

  test('while queued: the request is rejected at once and dropped', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const { done } = await occupy(model);
      const controller = new AbortController();
      const runs = [1, 2, 3].map(() => loop(model, 1, { signal: controller.signal }));
      const kept = loop(model, 1);
      controller.abort(reason);
      for (const run of runs) await assert.rejects(run, reason);
      assert.equal(model.stats().running, 1, 'the instance was busy all the while');
      await Promise.all([done, kept]);
      await until(() => model.stats().queued === 0);
      const { cancelled, completed, rows } = model.stats();
      assert.deepEqual({ cancelled, completed, rows }, { cancelled: 3, completed: 2, rows: 2 });
    }));

  test('while running: the request is rejected at once, and the run goes on', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const controller = new AbortController();
      const run = loop(model, 150_000, { signal: controller.signal });
      await until(() => model.stats().running === 1);
      controller.abort(reason);
      await assert.rejects(run, reason);
      assert.equal(model.stats().running, 1);
      await loop(model, 1);
      assert.equal(model.stats().completed, 2);
    }));

  test('after the result: nothing happens', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const controller = new AbortController();
      const { listening } = watched(controller.signal);
      const runs = Array.from({ length: 10 }, () => loop(model, 1, { signal: controller.signal }));
      assert.equal(listening(), 10);
      await Promise.all(runs);
      assert.equal(listening(), 0, 'nobody listens to it any more');
      controller.abort(reason);
      // Slots are used again: a late abort must not reach their next requests.
      await Promise.all(Array.from({ length: 10 }, () => loop(model, 1)));
      assert.equal(model.stats().cancelled, 0);
    }));

  test('a refused request leaves no listener on the signal', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const { done } = await occupy(model);
        const filler = loop(model, 1);
        const controller = new AbortController();
        const { listening } = watched(controller.signal);
        await refused(loop(model, 1, { signal: controller.signal }), 'UNAVAILABLE');
        assert.equal(listening(), 0);
        await Promise.all([done, filler]);
      },
      { batching: { maxQueue: 1 } },
    ));

  test('with a deadline and an abort, the first of them rejects', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const { done } = await occupy(model);
      const controller = new AbortController();
      const { signal } = controller;
      const late = loop(model, 1, { signal, timeoutMs: 10 });
      const early = loop(model, 1, { signal, timeoutMs: 60_000 });
      await refused(late, 'DEADLINE_EXCEEDED');
      controller.abort(reason);
      await assert.rejects(early, reason);
      await done;
    }));

  test('thousands of aborts reject only their own of thousands of requests', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 3000 }, async (_, index) => {
            const controller = new AbortController();
            const run = loop(model, 1, { signal: controller.signal });
            if (index % 3 === 0) controller.abort(reason);
            if (index % 3 === 1) queueMicrotask(() => controller.abort(reason));
            await run;
          }),
        );
        for (const [index, { status }] of outcomes.entries()) {
          // The second of three may have its result before its abort.
          if (index % 3 !== 1) {
            assert.equal(status, index % 3 === 0 ? 'rejected' : 'fulfilled', `request ${index}`);
          }
        }
        await until(() => model.stats().queued + model.stats().running === 0);
        const { cancelled, completed, submitted } = model.stats();
        assert.deepEqual([submitted, cancelled + completed], [3000, 3000]);
      },
      { batching: { maxQueue: 4096 } },
    ));
});
