/** @module If the system starts no more threads, loads are refused and the process continues. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runChild } from './child.ts';

/** A sanitizer is preloaded itself, and starts the threads of what it watches. */
const skip = process.env.LD_PRELOAD ? 'a sanitizer starts the threads' : false;

test('an addon that cannot start threads refuses loads and continues to work', {
  skip,
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-no-threads-'));
  try {
    const library = path.join(folder, 'no-threads.so');
    const source = path.join(import.meta.dirname, 'no-threads.cc');
    execFileSync('c++', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
    const env = { LD_PRELOAD: library, NO_THREADS: path.join(folder, 'left') };
    const ended = await runChild('no-threads.fixture.ts', [], env, 60_000);
    const { code, signal, stderr, stdout, timedOut } = ended;
    assert.deepEqual(
      { code, signal, timedOut },
      { code: 0, signal: null, timedOut: false },
      JSON.stringify({ stderr, stdout }),
    );
    assert.equal(stdout, 'ok\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
