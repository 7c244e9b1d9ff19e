/** @module However a Worker ends, the other Workers and the process continue to work. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runChild } from './child.ts';
import { repetitions } from './support.ts';

/** For each ending of `worker-exit.fixture.ts`: the exit code of the Worker, and its last message. */
const endings: Readonly<Record<string, RegExp>> = {
  'wait, then terminate': /^(exit \d+ ready\n)+$/,
  'short wait, then terminate': /^(exit \d+ ready\n)+$/,
  'loading, then terminate': /^(exit \d+ ready\n)+$/,
  natural: /^(exit 0 45\n)+$/,
  'not closed': /^(exit 0 ready\n)+$/,
  close: /^(exit 0 ready\n)+$/,
  throw: /^(exit 1 ready on purpose\n)+$/,
  exit: /^(exit 3 ready\n)+$/,
};

describe(`${repetitions} Workers do not affect a busy main thread when they end by`, () => {
  for (const [name, expected] of Object.entries(endings)) {
    test(name, { timeout: repetitions * 30_000 }, async () => {
      const limit = 20_000 + repetitions * 4000;
      const ended = await runChild('worker-cycles.fixture.ts', [name, `${repetitions}`], {}, limit);
      const { code, signal, stderr, stdout, timedOut } = ended;
      assert.deepEqual(
        { code, signal, timedOut },
        { code: 0, signal: null, timedOut: false },
        JSON.stringify({ stderr, stdout }),
      );
      assert.match(stdout, expected);
      assert.equal(stdout.trim().split('\n').length, repetitions);
      // Deno prints what a Worker throws, whoever handles it.
      assert.match(stderr, name === 'throw' ? /^$|on purpose/ : /^$/);
    });
  }
});
