/** @module The help of the command, which needs no setting to be valid. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

for (const command of [
  ['node', 'services/cli/millrace.mjs', 'serve', '--help'],
  ['npm', 'start', '--silent', '--', '--help'],
] as const) {
  test(`${command.join(' ')} shows the settings`, () => {
    const [program, ...args] = command;
    const help = execFileSync(program, args, { encoding: 'utf8' });
    assert.match(help, /^Usage: millrace serve /m);
    assert.match(help, /--max-workers <value>/);
  });
}
