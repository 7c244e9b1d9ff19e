/** @module Generations and the threads of a process: who shares a generator, and how its threads end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { runChild } from './child.ts';
import { casesOf, filesOf } from './generators.ts';
import { open, repetitions } from './support.ts';
import { startWorker } from './worker.ts';

const engine = open();
after(() => engine.close());

test('two JavaScript threads share a generator, and each gets its own tokens', {
  timeout: 60_000,
}, async () => {
  const model = await engine.loadGenerator({ ...filesOf('t5') });
  const worker = startWorker('generation-worker.fixture.ts', 'check');
  const exited = once(worker, 'exit');
  const cases = casesOf('t5');
  const message = once(worker, 'message');
  for (const { inputIds, options, tokens, name } of cases) {
    const result = await model.generate(inputIds, options).result;
    assert.deepEqual([...result.tokens], tokens, name);
  }
  assert.deepEqual(await message, [{ right: cases.length, digest: model.digest }]);
  assert.deepEqual(await exited, [0]);
  const { completed, submitted, cacheBytes } = model.stats();
  assert.deepEqual([submitted, completed, cacheBytes], [2 * cases.length, 2 * cases.length, 0]);
  await model.close();
});

/** For each ending of `generation-worker.fixture.ts`: the exit code of the Worker, and its message. */
const endings: Readonly<Record<string, RegExp>> = {
  'generate, then terminate': /^(exit \d+ ready\n)+$/,
  'loading, then terminate': /^(exit \d+ ready\n)+$/,
  exit: /^(exit 3 ready\n)+$/,
  throw: /^(exit 1 ready\n)+$/,
};
const cycles = Math.max(4, repetitions);

describe(`${cycles} Workers do not affect the generations of the main thread when they end by`, () => {
  for (const [name, expected] of Object.entries(endings)) {
    test(name, { timeout: cycles * 30_000 }, async () => {
      const limit = 30_000 + cycles * 4000;
      const ended = await runChild('generation-cycles.fixture.ts', [name, `${cycles}`], {}, limit);
      const { code, signal, stderr, stdout, timedOut } = ended;
      assert.deepEqual(
        { code, signal, timedOut },
        { code: 0, signal: null, timedOut: false },
        JSON.stringify({ stderr, stdout }),
      );
      assert.match(stdout, expected);
      assert.equal(stdout.trim().split('\n').length, cycles);
      // Deno and Node print what a Worker throws.
      assert.match(stderr, name === 'throw' ? /^$|on purpose/ : /^$/);
    });
  }
});
