/** @module Closing and dropping engines and models repeatedly: every accepted request settles, and nothing is left behind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Engine } from '../../native/index.ts';
import { busy } from './busy.ts';
import { runChild } from './child.ts';
import { filesOf } from './generators.ts';
import { fixture, loop, open, refused, repetitions, thrown } from './support.ts';

const turns = 5_000;

/** Repeats an action, two at a time. */
async function often(what: () => Promise<void>): Promise<void> {
  for (let times = 0; times < repetitions; times += 2) await Promise.all([what(), what()]);
}

describe(`${repetitions} times,`, () => {
  test('an engine that closes during runs completes all requests', () =>
    often(async () => {
      const { completed, engine, model } = await busy(turns);
      await engine.close();
      assert.equal(await completed, 45);
      assert.ok(model.closed);
    }));

  test('a model that closes during runs completes all requests', () =>
    often(async () => {
      const { completed, engine, model } = await busy(turns);
      await model.close();
      assert.equal(await completed, 45);
      await engine.close();
    }));

  test('an engine and a model can be closed more than once', () =>
    often(async () => {
      const { completed, engine, model } = await busy(turns);
      await Promise.all([model.close(), engine.close(), model.close(), engine.close()]);
      assert.equal(await completed, 45);
      await Promise.all([model.close(), engine.close()]);
    }));

  for (const [what, load] of Object.entries({
    model: (engine: Engine) => engine.load({ path: fixture('slow-loop') }),
    'generative model': (engine: Engine) => engine.loadGenerator(filesOf('gpt2')),
  })) {
    test(`an engine that closes while its ${what} is closing waits for it`, () =>
      often(async () => {
        for (let ticks = 0; ticks < 8; ticks += 1) {
          const engine = open();
          const model = await load(engine);
          const closing = model.close();
          for (let i = 0; i < ticks; i += 1) await undefined;
          await engine.close();
          await closing;
        }
      }));
  }

  test('a model and an engine that are closed refuse calls', () =>
    often(async () => {
      const engine = open();
      const model = await engine.load({ path: fixture('slow-loop') });
      await model.close();
      await refused(loop(model, 1), 'FAILED_PRECONDITION', /'slow-loop.onnx' is closed/);
      thrown(() => model.stats(), 'FAILED_PRECONDITION');
      await engine.close();
      await refused(loop(model, 1), 'FAILED_PRECONDITION');
      await refused(engine.load({ path: fixture('slow-loop') }), 'FAILED_PRECONDITION', /engine/);
    }));

  test('a model is loaded and closed while others load and close the same file', () =>
    often(async () => {
      const engine = open();
      const model = await engine.load({ path: fixture('slow-loop') });
      await loop(model, 1);
      await model.close();
      const again = await engine.load({ path: fixture('slow-loop') });
      await Promise.all([loop(again, 100), again.close(), engine.close()]);
    }));
});

test(`${repetitions * 20} models that are dropped without close are freed with their threads`, {
  timeout: repetitions * 30_000,
}, async () => {
  const { code, stderr, stdout } = await runChild('collect.fixture.ts', [`${repetitions * 20}`]);
  assert.deepEqual([code, stderr], [0, '']);
  const { grownMiB, left, most, submitted } = JSON.parse(stdout);
  assert.ok(most >= 10, `${most} instances at once: nothing was left to the garbage collector`);
  assert.ok(left <= 3, `${left} threads are left`);
  assert.equal(submitted, 0, 'the session is gone');
  assert.ok(grownMiB < 32, `memory grew by ${grownMiB} MiB in the second half`);
});
