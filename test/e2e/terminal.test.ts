/** @module Tests the output of a start on a terminal, which the command `script` simulates. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));

test('on a terminal the log has readable lines and one block, and no JSON', async () => {
  const { PATH, HOME = '' } = process.env;
  const child = spawn(
    'script',
    ['-qec', 'exec node_modules/.bin/bun services/main.ts', '/dev/null'],
    {
      cwd: top,
      env: { PATH, HOME, PORT: '0' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  await until(() => output.includes('curl -s'), 'the block is there');
  assert.match(output, /INFO {2}model loaded {2}model=iris/);
  assert.match(output, /Serving .*iris \(v1\.0, v2\.0\)/);
  assert.match(output, /http:\/\/127\.0\.0\.1:\d+\/docs/);
  assert.doesNotMatch(output, /^\{/m);
  // A terminal sends this byte for Ctrl-C.
  child.stdin.write('\u0003');
  assert.equal(await exited, 0);
});
