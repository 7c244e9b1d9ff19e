/** @module An error that nothing catches ends the thread, unless it is one of a cut connection. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';

const fixture = path.join(import.meta.dirname, 'uncaught.fixture.ts');

function run(...args: string[]) {
  const script =
    process.versions.deno === undefined ? [fixture] : ['run', '-A', '--no-check', fixture];
  const { status, stdout } = spawnSync(process.execPath, [...script, ...args], {
    encoding: 'utf8',
  });
  return { status, stdout };
}

for (const mode of ['throw', 'reject']) {
  describe(mode === 'throw' ? 'an exception' : 'a rejection', () => {
    test('of a cut connection is logged, and the thread goes on', () => {
      const { status, stdout } = run(mode, 'ECONNRESET', 'CONNECTION_CLOSED', '57P01');
      assert.equal(status, 0, stdout);
      assert.equal(stdout.match(/a connection failed/g)?.length, 3);
      assert.match(stdout, /alive/);
    });

    test('of another kind is logged, and ends the process', () => {
      const { status, stdout } = run(mode, 'ECONNRESET', 'ERR_ASSERTION');
      assert.equal(status, 1, stdout);
      assert.match(stdout, /an error that nothing has caught/);
      assert.match(stdout, /it has the code ERR_ASSERTION/);
      assert.doesNotMatch(stdout, /alive/);
    });
  });
}

test('in a thread it ends that thread only', () => {
  const { status, stdout } = run('thread', 'ERR_ASSERTION');
  assert.equal(status, 0, stdout);
  assert.match(stdout, /an error that nothing has caught/);
  assert.doesNotMatch(stdout, /alive/);
  assert.match(stdout, /the main thread goes on/);
});
